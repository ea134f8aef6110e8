"""Which language an episode is heard in."""

import pytest

from pipeline.errors import EngineError
from pipeline.types import Options
from workers.whisper.language import VOTES, Language, LanguageDetector, check_known


def test_an_intro_in_another_language_does_not_decide() -> None:
    # given an episode that begins in German and goes on in English
    detector = LanguageDetector(Options())
    detector.add(Language("de", 0.9), 8.0)
    assert detector.language_of(None).code == "de"
    # when more of it was heard
    for _ in range(2):
        detector.add(Language("en", 0.8), 25.0)
    # then it is English, as sure as its share of what was heard
    assert detector.language_of(None) == Language("en", pytest.approx(0.8 * 50 / 58))


def test_no_more_windows_are_asked_than_needed() -> None:
    detector = LanguageDetector(Options())
    for count in range(VOTES):
        assert detector.is_undecided, count
        detector.add(Language("fr", 0.7), 20.0)
    assert not detector.is_undecided


def test_a_given_language_is_not_asked_for() -> None:
    detector = LanguageDetector(Options(language="pl", mixed_languages=True))
    assert not detector.is_undecided
    assert detector.language_of(None) == Language("pl", 1.0)


def test_in_a_mixed_episode_every_window_has_its_own() -> None:
    detector = LanguageDetector(Options(mixed_languages=True))
    for code in ("en", "de") * VOTES:
        detector.add(Language(code, 0.9), 20.0)
    assert detector.is_undecided
    assert detector.language_of(Language("de", 0.6)) == Language("de", 0.6)


@pytest.mark.parametrize(
    ("code", "known", "remedy"),
    [
        ("de", ("en",), "base.en does not know German (de): leave the language out, or set DUET_WHISPER_MODEL to base"),
        (
            "yue",
            ("en", "zh"),
            "base.en does not know Cantonese (yue): leave the language out, or set DUET_WHISPER_MODEL",
        ),
    ],
)
def test_a_language_that_the_model_does_not_know_is_refused_in_words(
    code: str, known: tuple[str, ...], remedy: str
) -> None:
    with pytest.raises(EngineError) as refused:
        check_known(code, "base.en", known)

    assert str(refused.value).startswith(remedy)
    check_known(None, "base.en", known)
    check_known("en", "base.en", known)
