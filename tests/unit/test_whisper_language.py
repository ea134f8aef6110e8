"""Which language an episode is heard in."""

import pytest

from pipeline.types import Options
from workers.whisper.language import VOTES, Language, Vote


def test_an_intro_in_another_language_does_not_decide() -> None:
    # given an episode that begins in German and goes on in English
    vote = Vote(Options())
    vote.add(Language("de", 0.9), 8.0)
    assert vote.language_of(None).code == "de"
    # when more of it was heard
    for _ in range(2):
        vote.add(Language("en", 0.8), 25.0)
    # then it is English, as sure as its share of what was heard
    assert vote.language_of(None) == Language("en", pytest.approx(0.8 * 50 / 58))


def test_no_more_windows_are_asked_than_needed() -> None:
    vote = Vote(Options())
    for count in range(VOTES):
        assert vote.is_open, count
        vote.add(Language("fr", 0.7), 20.0)
    assert not vote.is_open


def test_a_given_language_is_not_asked_for() -> None:
    vote = Vote(Options(language="pl", mixed_languages=True))
    assert not vote.is_open
    assert vote.language_of(None) == Language("pl", 1.0)


def test_in_a_mixed_episode_every_window_has_its_own() -> None:
    vote = Vote(Options(mixed_languages=True))
    for code in ("en", "de") * VOTES:
        vote.add(Language(code, 0.9), 20.0)
    assert vote.is_open
    assert vote.language_of(Language("de", 0.6)) == Language("de", 0.6)
