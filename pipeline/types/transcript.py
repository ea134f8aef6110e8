"""Whisper's transcript.

The file format is openai-whisper's JSON, so fields have aliases: `start_s` in Python, `start` in the file.
"""

import math
from collections.abc import Callable
from typing import Annotated

from pydantic import BeforeValidator, Field

from pipeline.types.file_tags import FileTags
from pipeline.types.model import Model
from pipeline.types.speakers import Speaker, SpeakerId

UNSURE_LOGPROB = -10.0


def _or_when_not_a_number(doubtful: float) -> Callable[[object], object]:
    """Return a validator that replaces NaN and infinity, which JSON does not have, with a doubtful value."""

    def read(score: object) -> object:
        return doubtful if score is None or (isinstance(score, float) and not math.isfinite(score)) else score

    return read


Probability = Annotated[float, BeforeValidator(_or_when_not_a_number(0.0))]
Ratio = Annotated[float, BeforeValidator(_or_when_not_a_number(0.0))]
Seconds = Annotated[float, BeforeValidator(_or_when_not_a_number(0.0))]
LogProbability = Annotated[float, BeforeValidator(_or_when_not_a_number(UNSURE_LOGPROB))]


class Word(Model):
    """One word with its times."""

    word: str
    start_s: Seconds = Field(alias="start")
    end_s: Seconds = Field(alias="end")
    probability: Probability
    speaker: SpeakerId = None
    """Id of the speaker in `Transcript.speakers`; None if it is not known."""


class Segment(Model):
    """A segment of speech, with the fields of openai-whisper's JSON."""

    id: int
    seek: int = 0
    start_s: Seconds = Field(alias="start")
    end_s: Seconds = Field(alias="end")
    text: str
    tokens: tuple[int, ...] = ()
    temperature: float = 0.0
    avg_logprob: LogProbability = 0.0
    compression_ratio: Ratio = 0.0
    no_speech_prob: Probability = 0.0
    words: tuple[Word, ...] = ()
    language: str | None = None
    """Language of the segment, with `Options.mixed_languages`."""
    speaker: SpeakerId = None
    """Id of the speaker in `Transcript.speakers`; None if it is not known."""
    continues: Annotated[bool, Field(exclude_if=lambda continues: not continues)] = False
    """Whether it is the rest of the segment before it, which was split where the speaker changes."""


NO_TAGS = FileTags()


class Transcript(Model):
    """Whisper's transcript in openai-whisper's JSON format, with facts about the audio and the model."""

    text: str
    language: str
    """The spoken language; `und` without speech."""
    language_probability: Probability = 1.0
    """Probability of the language, 0 to 1; 1 if it was given."""
    segments: tuple[Segment, ...]
    audio_s: float
    """Seconds of decoded audio."""
    expected_s: float = 0.0
    """Seconds of audio by the file's header; 0.0 if it has no duration."""
    speech: tuple[tuple[float, float], ...] | None = None
    """Detected speech as pairs of start and end in seconds; None without speech detection."""
    broken_frames: int = 0
    """Number of packets that were skipped because they could not be decoded."""
    track: Annotated[int, Field(exclude_if=lambda track: track == 1)] = 1
    """Number of the file's audio track that was transcribed, from 1."""
    tracks: Annotated[int, Field(exclude_if=lambda tracks: tracks == 1)] = 1
    """Number of audio tracks in the file."""
    tags: Annotated[FileTags, Field(exclude_if=lambda tags: tags == NO_TAGS)] = NO_TAGS
    """The file's own tags."""
    speakers: tuple[Speaker, ...] = ()
    """The speakers, in the order of their first words; empty if they were not told apart."""
    model: str
