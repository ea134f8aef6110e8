"""The words that people are told about a job, on every screen."""

from enum import StrEnum
from typing import Literal

Tone = Literal["open", "good", "warning", "bad"]


class JobStatus(StrEnum):
    """The status of a job in words; the state that it is derived from says less of what has been done."""

    WAITING = "waiting"
    """No leg has begun."""
    WORKING = "working"
    TRANSCRIPT_READY = "transcript ready"
    """The transcript is there, and the analysis has not begun."""
    ANALYZING = "transcript ready, analyzing"
    COMPLETED = "completed"
    TRANSCRIBED = "transcribed + outline"
    """Complete as far as this machine can: Voxtral cannot run here, so quoted sentences stand in for its analysis."""
    PARTIAL = "partial"
    """Something that was asked for and possible is missing."""
    FAILED = "failed"
    CANCELLED = "cancelled"

    @property
    def tone(self) -> Tone:
        """The tone of its colour."""
        return _TONES.get(self, "open")


_TONES: dict[JobStatus, Tone] = {
    JobStatus.COMPLETED: "good",
    JobStatus.TRANSCRIBED: "good",
    JobStatus.PARTIAL: "warning",
    JobStatus.FAILED: "bad",
    JobStatus.CANCELLED: "warning",
}
