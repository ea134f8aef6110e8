"""Outcomes of legs and results of jobs."""

from typing import Literal

from pydantic import Field

from pipeline.types.analysis import Analysis
from pipeline.types.job import Episode, JobState, Leg, Options
from pipeline.types.merged import MergedTranscript
from pipeline.types.model import Model
from pipeline.types.usage import UsageStats


class LegOutcome(Model):
    """The outcome of one leg, as a value, so that the other leg's work is never lost."""

    leg: Leg
    status: Literal["ok", "failed", "skipped"]
    reason: str = ""
    """Why it is not ok, in a sentence a person can act on."""
    flaws: tuple[str, ...] = ()
    """What is wrong with a result that is there all the same; any makes the job `partial`."""
    audio_s: float | None = None
    work_s: float = 0.0
    """Seconds at work, loading of models and waiting in the queue not counted."""
    model: str = ""
    model_digest: str = ""
    """SHA-256 of the weights; empty where they are on a server, or nothing ran."""
    device: str = ""
    """`cpu`, `cuda:0 (NVIDIA L4)`, or the URL of a server."""
    settings: dict[str, str] = Field(default_factory=dict)
    """The settings of that worker that the outcome depends on."""
    tries: int = 1
    """How often this attempt began the leg; more than once after a transient error or a killed process."""
    reused: bool = False
    """Whether an earlier attempt had already done the work."""


class EpisodeResult(Model):
    """`result.json`: the manifest and merged result, written last, the proof that all else is there."""

    schema_version: Literal["2.0"] = "2.0"
    job: str
    attempt: int
    episode: Episode
    options: Options
    state: JobState
    reason: str = ""
    audio_s: float | None = None
    language: str | None = None
    analysis: Analysis | None = None
    """What Voxtral understood; or, marked `source="outline"`, what the transcript alone could give."""
    legs: dict[Leg, LegOutcome] = Field(default_factory=dict)
    missing: tuple[str, ...] = ()
    """What a complete episode has and this one has not, each with its reason."""
    files: dict[str, str] = Field(default_factory=dict)
    """Name in the episode's folder → SHA-256 of its bytes."""
    audio: str | None = None
    """Where the audio is, as a relative URL from the episode's folder; None where it is not to be had there."""
    submitted_at: str
    transcribed_at: str | None = None
    ended_at: str | None = None
    figures: UsageStats = UsageStats()
    transcript: MergedTranscript | None = None
    """What was said, as both models heard it, with what was left out and why."""

    @property
    def text(self) -> str:
        """The text."""
        return self.transcript.text if self.transcript else ""
