"""Voxtral's transcription of spans where Whisper was uncertain."""

from typing import Literal

from pipeline.types.model import Model


class TimeSpan(Model):
    """A stretch of the episode that is to be heard once more."""

    start_s: float
    end_s: float
    segments: tuple[int, ...] = ()
    """Ids of the segments it is about; none where speech was detected and Whisper heard nothing."""


class AlternativeTranscript(TimeSpan):
    """A span and Voxtral's text of it."""

    text: str


class SecondOpinion(Model):
    """The outcome of the second opinion."""

    status: Literal["ok", "failed", "skipped"]
    reason: str = ""
    """Why it is not ok, in a sentence a person can act on."""
    readings: tuple[AlternativeTranscript, ...] = ()
    model: str = ""
    device: str = ""
    waited_s: float | None = None
    """Seconds from asking until it was at work."""
    work_s: float = 0.0
    tries: int = 1
