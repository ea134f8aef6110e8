"""What Whisper is unsure of, and what is plainly no speech."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.results.uncertainty import Speech, flag_uncertain, loops, plain, speech_without_words
from pipeline.types import MergedTranscript, Transcript
from tests.results import segment, transcript

LOOP = "and the " * 12
SPAN = st.tuples(st.integers(0, 400), st.integers(1, 60))


def judge(*segments: object, speech: tuple[tuple[float, float], ...] | None = None) -> MergedTranscript:
    return flag_uncertain(transcript(*segments, speech=speech))  # type: ignore[arg-type]


def test_speech_that_was_heard_well_has_no_doubts() -> None:
    spoken = judge(segment("Good morning and welcome to the show.", 0.0))

    assert [(it.doubts, it.dropped) for it in spoken.segments] == [((), "")]
    assert spoken.text == "Good morning and welcome to the show."


def test_words_that_were_improbable_are_doubtful_and_stay() -> None:
    spoken = judge(segment("I'm sidejo joined by Costa.", 0.0, probability=0.5))

    assert spoken.segments[0].doubts == ("low log probability",)
    assert "sidejo" in spoken.text


def test_a_loop_is_dropped_and_kept_on_record() -> None:
    spoken = judge(segment("Before it.", 0.0), segment(LOOP, 1.0), segment("After it.", 30.0))

    assert spoken.text == "Before it. After it."
    assert "loop" in spoken.segments[1].dropped
    assert "repetition" in spoken.segments[1].doubts
    assert spoken.segments[1].text.strip() == LOOP.strip()


def test_the_same_segment_again_and_again_is_said_once() -> None:
    spoken = judge(*(segment("I'm going to the shop.", 2.0 * n) for n in range(6)))

    assert spoken.text == "I'm going to the shop."
    assert [bool(it.dropped) for it in spoken.segments] == [False] + [True] * 5


def test_someone_may_say_a_thing_three_times() -> None:
    spoken = judge(*(segment("Location.", 2.0 * n) for n in range(3)), segment("No no no no no way.", 8.0))

    assert not any(it.dropped for it in spoken.segments)


@pytest.mark.parametrize(
    "text",
    ["Thank you.", "Thank you for watching!", "Thanks for watching.", "Subtitles by the Amara.org community", "you"],
)
def test_thanks_for_watching_over_silence_are_dropped(text: str) -> None:
    spoken = judge(segment("That was the show.", 0.0), segment(text, 20.0), speech=((0.0, 1.2),))

    assert spoken.text == "That was the show."
    assert "no speech was detected there" in spoken.segments[1].dropped


def test_thanks_for_listening_that_were_said_stay() -> None:
    assert judge(segment("Thank you for listening.", 0.0)).text == "Thank you for listening."


def test_something_else_over_silence_is_doubtful_but_stays() -> None:
    spoken = judge(segment("The river rose.", 5.0), speech=())

    assert spoken.segments[0].doubts == ("little speech detected",)
    assert not spoken.segments[0].dropped


def test_without_detected_speech_the_models_own_opinion_counts() -> None:
    silent = Transcript(
        text="Thank you.",
        language="en",
        segments=(segment("Thank you.", 0.0, no_speech_prob=0.9),),
        audio_s=9.0,
        model="x",
    )

    assert flag_uncertain(silent).text == ""


def test_what_whisper_heard_is_written_as_it_left_it() -> None:
    heard = transcript(segment("Before it.", 0.0), segment(LOOP, 1.0))

    assert flag_uncertain(heard).as_heard().to_json() == heard.to_json()


def test_speech_without_words_is_found() -> None:
    heard = transcript(
        segment("One two three.", 0.0), segment("Four.", 20.0), speech=((0.0, 1.0), (5.0, 9.0), (12.0, 20.5))
    )

    assert speech_without_words(heard) == [(5.0, 9.0), (12.0, 19.7)]


@settings(derandomize=True, deadline=None, max_examples=80)
@given(st.lists(SPAN, max_size=8), st.lists(SPAN, max_size=8))
def test_unheard_speech_is_speech_and_has_no_words(spans: list[tuple[int, int]], said: list[tuple[int, int]]) -> None:
    speech = tuple((float(start), float(start + 4)) for start in sorted({start // 5 * 5 for start, _ in spans}))
    words = sorted({start for start, _ in said})
    heard = transcript(*(segment("word", float(start)) for start in words), speech=speech)

    for start_s, end_s in speech_without_words(heard):
        assert any(began_s <= start_s and end_s <= ended_s for began_s, ended_s in speech)
        assert not any(start_s < it.end_s and it.start_s < end_s for it in heard.segments)


@settings(derandomize=True, deadline=None, max_examples=80)
@given(st.lists(SPAN, max_size=10), SPAN)
def test_speech_within_a_stretch_is_counted_exactly(spans: list[tuple[int, int]], stretch: tuple[int, int]) -> None:
    frames = {frame for start, length in spans for frame in range(start, start + length)}
    starts = sorted(frame for frame in frames if frame - 1 not in frames)
    ends = sorted(frame + 1 for frame in frames if frame + 1 not in frames)
    start, end = stretch[0], sum(stretch)

    within = Speech(list(zip(map(float, starts), map(float, ends), strict=True))).within_s(start, end)

    assert within == len(frames & set(range(start, end)))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("the " * 6, True),
        ("na na na hey " * 6, True),
        ("the " * 5, False),
        ("a b c d e f g h " * 2, False),
        ("", False),
    ],
)
def test_six_times_the_same_is_a_loop(text: str, expected: bool) -> None:
    assert loops(text.split()) is expected


def test_a_loop_within_much_else_is_no_loop_of_the_whole() -> None:
    assert not loops([*("no " * 6).split(), *map(str, range(30))])


@pytest.mark.parametrize(
    ("text", "expected"),
    [("  Well-known: 3.5 % – it's “so”!", "well-known 3.5 it's so"), ("Ça va?", "ça va"), ("U.S.", "u.s"), ("…", "")],
)
def test_texts_are_compared_without_case_and_punctuation(text: str, expected: str) -> None:
    assert plain(text) == expected
