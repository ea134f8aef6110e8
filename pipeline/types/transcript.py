"""Whisper's transcript.

Whisper's own JSON is the transcript's form on disk, so these carry aliases: `start_s` in Python, `start`
in the file.
"""

import math
from collections.abc import Callable
from typing import Annotated

from pydantic import BeforeValidator, Field

from pipeline.types.model import Model

UNSURE_LOGPROB = -10.0


def _or_when_not_a_number(doubtful: float) -> Callable[[object], object]:
    """Return a validator that replaces NaN, which JSON cannot hold, with a doubtful score."""

    def read(score: object) -> object:
        return doubtful if score is None or (isinstance(score, float) and not math.isfinite(score)) else score

    return read


Probability = Annotated[float, BeforeValidator(_or_when_not_a_number(0.0))]
Ratio = Annotated[float, BeforeValidator(_or_when_not_a_number(0.0))]
LogProbability = Annotated[float, BeforeValidator(_or_when_not_a_number(UNSURE_LOGPROB))]


class Word(Model):
    """One word and when it is said."""

    word: str
    start_s: float = Field(alias="start")
    end_s: float = Field(alias="end")
    probability: Probability


class Segment(Model):
    """A stretch of speech, in the fields of openai-whisper's JSON."""

    id: int
    seek: int = 0
    start_s: float = Field(alias="start")
    end_s: float = Field(alias="end")
    text: str
    tokens: tuple[int, ...] = ()
    temperature: float = 0.0
    avg_logprob: LogProbability = 0.0
    compression_ratio: Ratio = 0.0
    no_speech_prob: Probability = 0.0
    words: tuple[Word, ...] = ()
    language: str | None = None
    """The language spoken here, where the episode was said to have several."""


class Transcript(Model):
    """Whisper's transcript in openai-whisper's JSON format, and how it was made."""

    text: str
    language: str
    """The spoken language, `und` where nothing was said."""
    language_probability: Probability = 1.0
    """How sure the language is, 0 to 1; 1 where it was given."""
    segments: tuple[Segment, ...]
    audio_s: float
    """Seconds of audio that could be decoded."""
    expected_s: float = 0.0
    """Seconds of audio that the file's header promises; 0.0 where it promises nothing."""
    speech: tuple[tuple[float, float], ...] | None = None
    """Where speech was detected, as pairs of start and end in seconds; None where nobody looked."""
    broken_frames: int = 0
    """Packets that could not be decoded and were skipped."""
    model: str
