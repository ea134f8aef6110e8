import numpy as np
import pytest

from pipeline.types import Segment, Word
from workers.whisper import gaps, guards
from workers.whisper.decoding import Decoded
from workers.whisper.repetition import ends_in_loop, loops
from workers.whisper.windows import Window


def decoded(**changes: object) -> Decoded:
    values = {
        "tokens": (1, 2, 3, 4),
        "logprobs": (),
        "avg_logprob": -0.3,
        "no_speech_prob": 0.0,
        "temperature": 0.0,
    }
    return Decoded(**{**values, **changes})  # type: ignore[arg-type]


def test_a_good_window_trips_nothing() -> None:
    assert guards.reason_to_retry(decoded(), "And so my fellow Americans.") == ""


@pytest.mark.parametrize(
    ("changes", "text", "reason"),
    [
        ({}, "thank you " * 40, "compression ratio"),
        ({"avg_logprob": -1.3}, "mumbling", "log probability"),
        ({"tokens": (5, 6, 7) * 6}, "short", "repetition"),
    ],
)
def test_each_guard_trips_on_what_it_is_for(changes: dict[str, object], text: str, reason: str) -> None:
    assert guards.reason_to_retry(decoded(**changes), text) == reason


@pytest.mark.parametrize("length", [1, 3, 8])
def test_a_loop_is_told_as_soon_as_it_has_gone_round_often_enough(length: int) -> None:
    said = [*range(100, 120), *(list(range(length)) * 6)]
    assert not ends_in_loop(said[:-1])
    assert ends_in_loop(said)
    assert not ends_in_loop([*said, *range(200, 248)])
    assert loops([*said, *range(200, 248)])


def test_silence_is_not_tried_again() -> None:
    # given a window that the model itself takes for silence
    window = decoded(avg_logprob=-1.3, no_speech_prob=0.8)
    # then it is dropped, not decoded again
    assert guards.silent(window)
    assert guards.reason_to_retry(window, "Thank you.") == ""


def test_a_sure_text_is_kept_though_the_model_doubts_the_speech() -> None:
    assert not guards.silent(decoded(avg_logprob=-0.2, no_speech_prob=0.9))


def segment(*words: tuple[str, float, float]) -> Segment:
    timed = tuple(Word(word=w, start_s=s, end_s=e, probability=1.0) for w, s, e in words)
    return Segment(
        id=0,
        start_s=timed[0].start_s,
        end_s=timed[-1].end_s,
        text="".join(w.word for w in timed),
        words=timed,
    )


def test_a_segment_that_spans_a_gap_is_split_around_what_was_found_there() -> None:
    # given a segment with a hole from 2 s to 8 s
    host = segment((" a", 1.0, 1.5), (" b", 1.5, 2.0), (" e", 8.0, 9.0))
    # when something was heard in the hole
    result = gaps.merge_segments([host], [segment((" c", 3.0, 4.0), (" d", 4.0, 5.0))])
    # then the text is in the order in which it was said
    assert [one.text for one in result] == [" a b", " c d", " e"]
    assert [one.id for one in result] == [0, 1, 2]


def test_a_second_look_is_not_believed_when_it_says_more_than_could_be_said() -> None:
    # given a second of audio
    part = Window(np.zeros(16_000, np.float32), ((0.0, 3.0),), np.zeros(31, np.float32))
    # then a few words are believed, and a speech is not
    few = segment((" c", 3.0, 3.5), (" d", 3.5, 4.0))
    many = few.model_copy(update={"text": " going to be a little bit more focused"})
    assert gaps.filter_second_pass(part, [few], []) == [few]
    assert gaps.filter_second_pass(part, [many], []) == []


@pytest.mark.parametrize(("places_s", "is_believed"), [([1.0], True), ([1.0, 9.0], False), ([], False)])
def test_an_unsure_second_look_is_believed_only_after_the_last_word(places_s: list[float], is_believed: bool) -> None:
    # given a second of audio at 3 s, whose text is less sure than a second look must be, but as sure as a window
    part = Window(np.zeros(16_000, np.float32), ((0.0, 3.0),), np.zeros(31, np.float32))
    unsure = segment((" c", 3.0, 3.5)).model_copy(update={"avg_logprob": -0.7})
    # when the window's other words are before it, around it, or not there
    words = [Word(word=" a", start_s=place_s, end_s=place_s + 0.5, probability=1.0) for place_s in places_s]
    # then it is believed where the model had just stopped
    assert bool(gaps.filter_second_pass(part, [unsure], words)) == is_believed
