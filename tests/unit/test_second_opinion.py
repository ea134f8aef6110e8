"""Which stretches are heard once more, and what becomes of the transcript."""

from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.results.second_opinion import LONGEST_S, MOST_S, apply_alternatives, uncertain_spans, with_transcription
from pipeline.results.uncertainty import flag_uncertain
from pipeline.types import AlternativeTranscript, MergedTranscript
from tests.results import merged, segment, transcript

UNSURE = 0.4
LOOP = "and the " * 12
SHOW = merged(
    segment("Welcome to the show.", 0.0),
    segment("I'm sidejo joined by Costa.", 5.0, probability=UNSURE),
    segment("We have a special edition.", 10.0),
)


def read(text: str, *segments: int, start_s: float = 5.0, end_s: float = 7.0) -> AlternativeTranscript:
    return AlternativeTranscript(start_s=start_s, end_s=end_s, segments=segments, text=text)


def test_only_what_was_unsure_is_heard_again() -> None:
    (stretch,) = uncertain_spans(SHOW)

    assert stretch.segments == (1,)
    assert (stretch.start_s, stretch.end_s) == (4.8, 6.7)


def test_neighbours_are_heard_together_and_nothing_of_the_words_around_them() -> None:
    spoken = merged(
        segment("Sure of it.", 0.0),
        segment("Not so sure.", 0.9, probability=UNSURE),
        segment("Nor of that.", 1.8, probability=UNSURE),
        segment("Sure again.", 2.75),
    )

    (stretch,) = uncertain_spans(spoken)

    assert stretch.segments == (1, 2)
    assert (stretch.start_s, stretch.end_s) == (0.9, 2.75)


def test_speech_without_words_is_heard_again() -> None:
    spoken = flag_uncertain(transcript(segment("Hello there.", 0.0), speech=((0.0, 1.0), (10.0, 80.0))))

    stretches = uncertain_spans(spoken)

    assert [stretch.segments for stretch in stretches] == [(), (), ()]
    assert (stretches[0].start_s, stretches[-1].end_s) == (10.0, 80.0)


def test_silence_is_not_heard_again() -> None:
    assert uncertain_spans(merged(segment("Thank you.", 5.0, probability=UNSURE), speech=())) == []


def test_nothing_is_heard_again_where_all_is_sure() -> None:
    assert uncertain_spans(merged(segment("Welcome to the show.", 0.0))) == []


@settings(derandomize=True, deadline=None, max_examples=40)
@given(st.lists(st.tuples(st.floats(0.05, 1), st.integers(1, 30), st.integers(0, 40)), max_size=120))
def test_stretches_are_in_order_short_and_not_too_many(said: list[tuple[float, int, int]]) -> None:
    segments, now_s = [], 0.0
    for probability, words, pause in said:
        now_s += pause
        segments.append(segment("word " * words, round(now_s, 2), probability=probability))
        now_s = segments[-1].end_s
    stretches = uncertain_spans(merged(*segments))

    assert all(0 < it.end_s - it.start_s <= LONGEST_S + 0.01 for it in stretches)
    assert all(one.start_s <= after.start_s for one, after in pairwise(stretches))
    assert sum(it.end_s - it.start_s for it in stretches) <= MOST_S + 1


def test_both_readings_are_kept_where_they_differ() -> None:
    found = apply_alternatives(SHOW, [read("I'm joined by Costa.", 1)])

    assert found.text == SHOW.text
    assert found.segments[1].second_reading == "I'm joined by Costa."
    assert found.segments[1].agreement == 0.8
    assert found.segments[0].agreement is None


def test_unsure_words_that_voxtral_does_not_hear_are_dropped() -> None:
    found = apply_alternatives(SHOW, [read("", 1)])

    assert found.text == "Welcome to the show. We have a special edition."
    assert found.segments[1].dropped == ("Whisper was unsure (low log probability), and Voxtral hears nothing there.")


def test_what_stands_in_a_loops_place_is_voxtrals() -> None:
    spoken = merged(segment("Before it.", 0.0), segment(LOOP, 5.0), segment("After it.", 20.0))

    found = apply_alternatives(spoken, [read("This is what he really said.", 1, end_s=12.2)])

    assert found.text == "Before it. This is what he really said. After it."
    new = next(it for it in found.segments if it.source == "voxtral")
    assert (new.start_s, new.end_s) == (5.0, 12.2)
    assert [it.start_s for it in new.words] == sorted(it.start_s for it in new.words)
    assert found.segments[1].second_reading == "This is what he really said."
    assert found.as_heard().to_json() == spoken.as_heard().to_json()


def test_a_loop_that_both_heard_was_said() -> None:
    spoken = merged(segment("no " * 7, 0.0))
    assert spoken.text == ""

    assert apply_alternatives(spoken, [read("no no no no no", 0)]).text == ("no " * 7).strip()


def test_speech_that_only_voxtral_heard_is_added_with_times() -> None:
    found = apply_alternatives(SHOW, [read("And a word from our sponsor.", start_s=7.0, end_s=9.0)])

    assert found.text == (
        "Welcome to the show. I'm sidejo joined by Costa. And a word from our sponsor. We have a special edition."
    )
    assert len({it.id for it in found.segments}) == 4


@pytest.mark.parametrize("stray", ["", "Uh.", LOOP])
def test_a_stray_word_or_a_loop_of_voxtrals_changes_nothing(stray: str) -> None:
    assert apply_alternatives(SHOW, [read(stray, start_s=7.0, end_s=9.0)]) == SHOW


def test_a_reading_of_segments_that_are_not_there_changes_nothing() -> None:
    assert apply_alternatives(SHOW, [read("Something else entirely here.", 17)]).text.startswith(SHOW.text[:20])


def test_a_transcription_of_the_whole_is_compared_with_all_of_it() -> None:
    found = with_transcription(SHOW, "Welcome to the show! I'm joined by Costa.\nWe have a special edition.")

    assert [it.agreement for it in found.segments] == [1.0, 0.8, 1.0]
    assert [it.second_reading for it in found.segments] == [None, "I'm joined by Costa.", None]


def test_a_transcription_that_ends_early_drops_nothing() -> None:
    unsure: MergedTranscript = merged(
        *(segment(f"Sentence number {n} of this show.", 5.0 * n, probability=UNSURE) for n in range(6))
    )

    found = with_transcription(unsure, "Sentence number 0 of this show. Sentence number 1 of this show.")

    assert found.text == unsure.text
