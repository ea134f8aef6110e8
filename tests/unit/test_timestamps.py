"""What Voxtral understood, with the times of Whisper's words."""

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.results.timestamps import add_timestamps
from pipeline.types import ActionItem, Analysis, Chapter, CustomAnswer, KeyPoint, MergedTranscript, Quote
from tests.results import merged, segment

TALK = [
    "Welcome to the science chat.",
    "Today we are asking a simple question, why is the sky blue?",
    "The light from the sun looks white but it is a mixture of all the colours of the rainbow.",
    "When light hits a particle in the air, it is scattered in every direction.",
    "Blue light is scattered much more than red light, so we see blue light from every part of the sky.",
    "In the evening the sun is low and most of the blue is lost along the way.",
    "Please write to us which question we should answer next week.",
    "Thank you for listening, and goodbye.",
]
STARTS = [20.0 * n for n in range(len(TALK))]
SPOKEN = merged(*(segment(text, start_s) for text, start_s in zip(TALK, STARTS, strict=True)))


def anchor(spoken: MergedTranscript = SPOKEN, **fields: object) -> Analysis:
    return add_timestamps(Analysis(source="voxtral", model="v", summary="", heard_s=160.0, **fields), spoken)  # type: ignore[arg-type]


def of_quote(text: str, spoken: MergedTranscript = SPOKEN) -> tuple[float | None, float | None]:
    (quote,) = anchor(spoken, quotes=(Quote(text=text),)).quotes
    return quote.start_s, quote.end_s


def of_point(text: str) -> tuple[float | None, float | None]:
    (point,) = anchor(key_points=(KeyPoint(text=text),)).key_points
    return point.start_s, point.end_s


def test_a_quote_is_where_it_was_said() -> None:
    start_s, end_s = of_quote("Blue light is scattered much more than red light.")

    assert start_s == 80.0
    assert end_s == pytest.approx(80.0 + 9 * 0.3)


def test_a_quote_may_be_heard_a_little_differently() -> None:
    start_s, end_s = of_quote("When the light hits the particles in air it's scattered in every direction")

    assert (start_s, end_s) == (60.0, SPOKEN.segments[3].end_s)


def test_words_that_were_not_said_have_no_time() -> None:
    assert of_quote("Bread needs flour, water, salt and a lot of patience.") == (None, None)
    assert of_point("Bread needs flour.") == (None, None)
    assert of_quote("") == (None, None)


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ("White light is a mix of all rainbow colours.", 2),
        ("Particles in the air scatter the light in all directions.", 3),
        ("The low sun of the evening has lost most of its blue.", 5),
    ],
)
def test_a_statement_in_other_words_is_where_its_rare_words_are(text: str, place: int) -> None:
    start_s, end_s = of_point(text)

    assert start_s == STARTS[place]
    assert end_s == SPOKEN.segments[place].end_s


def test_actions_and_answers_have_times_too() -> None:
    found = anchor(
        action_items=(ActionItem(text="Write which question to answer next week"),),
        answers=(
            CustomAnswer(question="Why blue?", answer="Blue light is scattered more than red light."),
            CustomAnswer(question="Who pays?", answer=None),
        ),
    )

    assert found.action_items[0].start_s == 120.0
    assert [it.start_s for it in found.answers] == [80.0, None]


def test_a_chapter_begins_with_a_sentence_and_ends_with_the_next_chapter() -> None:
    found = anchor(chapters=(Chapter(start_s=0.0, title="One"), Chapter(start_s=78.5, title="Two")))

    assert [(it.start_s, it.end_s) for it in found.chapters] == [(0.0, 80.0), (80.0, SPOKEN.audio_s)]


def test_a_chapter_that_begins_in_a_long_silence_stays_there() -> None:
    found = anchor(chapters=(Chapter(start_s=0.0, title="One"), Chapter(start_s=70.0, title="Two")))

    assert found.chapters[1].start_s == 70.0


def test_what_was_dropped_is_no_place_for_a_quote() -> None:
    segments = [it.model_copy(update={"dropped": "A loop."}) if it.id == 4 else it for it in SPOKEN.segments]

    assert of_quote(TALK[4], SPOKEN.with_segments(segments)) == (None, None)


def test_doing_it_twice_changes_nothing() -> None:
    once = anchor(quotes=(Quote(text=TALK[3]),), chapters=(Chapter(start_s=78.5, title="Two"),))

    assert add_timestamps(once, SPOKEN) == once


def test_an_episode_without_words_has_no_times() -> None:
    found = anchor(merged(), quotes=(Quote(text="Hello there."),), chapters=(Chapter(start_s=5.0, title="x"),))

    assert found.quotes[0].start_s is None
    assert found.chapters[0].start_s == 5.0


@settings(derandomize=True, deadline=None, max_examples=40)
@given(st.integers(0, 10_000), st.integers(5, 25))
def test_any_passage_of_a_long_talk_is_found_where_it_is(seed: int, length: int) -> None:
    chance = random.Random(seed)
    words = [f"word{int(chance.paretovariate(0.8)) % 3000}" for _ in range(1200)]
    spoken = merged(*(segment(" ".join(words[n : n + 12]) + ".", n * 0.3) for n in range(0, 1200, 12)))
    start = chance.randrange(1200 - length)
    passage = words[start : start + length]

    start_s, end_s = of_quote(" ".join(passage), spoken)

    if sum(words.count(word) <= 60 for word in passage) >= 2:
        assert start_s is not None
        assert end_s is not None
        found = [word for word, n in zip(words, range(1200), strict=True) if start_s - 0.01 <= n * 0.3 < end_s - 0.01]
        assert found == passage or abs(start_s - start * 0.3) <= 0.61
