"""Scores that are no numbers, as arithmetic in 16 bits gives them now and then, become doubtful ones."""

import math

import pytest

from pipeline.types import Segment, Transcript, Word
from pipeline.types.transcript import UNSURE_LOGPROB


@pytest.mark.parametrize("nothing", [math.nan, math.inf, -math.inf])
def test_a_transcript_with_scores_that_are_no_numbers_can_be_read_again(nothing: float) -> None:
    word = Word(word="so", start_s=0.0, end_s=1.0, probability=nothing)
    scores = {"avg_logprob": nothing, "compression_ratio": nothing, "no_speech_prob": nothing}
    segment = Segment(id=0, start_s=0.0, end_s=1.0, text="so", words=(word,), **scores)
    written = Transcript(text="so", language="en", segments=(segment,), audio_s=1.0, model="m").to_json()

    read = Transcript.from_json(written)

    assert b"null" not in written.replace(b'"speech": null', b"").replace(b'"language": null', b"")
    assert read.segments[0].avg_logprob == UNSURE_LOGPROB
    assert read.segments[0].words[0].probability == 0.0


def test_what_an_older_version_wrote_for_them_can_be_read() -> None:
    segment = Segment.from_json('{"id": 0, "start": 0, "end": 1, "text": "so", "avg_logprob": null}')

    assert segment.avg_logprob == UNSURE_LOGPROB
