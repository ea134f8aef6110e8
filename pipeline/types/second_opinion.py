"""Second opinions: Voxtral's transcripts of spans where Whisper was uncertain."""

from typing import Literal

from pipeline.types.model import Model


class TimeSpan(Model):
    """An uncertain span of the episode, to be transcribed again."""

    start_s: float
    end_s: float
    segments: tuple[int, ...] = ()
    """Ids of its segments; empty for detected speech without a segment."""


class AlternativeTranscript(TimeSpan):
    """An uncertain span with Voxtral's transcript of it."""

    text: str


class SecondOpinion(Model):
    """The outcome of a second opinion."""

    status: Literal["ok", "failed", "skipped"]
    reason: str = ""
    """Reason why it is not ok, in one sentence for the user."""
    readings: tuple[AlternativeTranscript, ...] = ()
    model: str = ""
    device: str = ""
    waited_s: float | None = None
    """Seconds from the request to its start."""
    work_s: float = 0.0
    tries: int = 1
