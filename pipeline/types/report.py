"""The content of `batch.json`."""

from typing import Any, Literal

from pipeline.types.job import JobState
from pipeline.types.model import Model


class ReportedEpisode(Model):
    """One episode of the batch; an unknown value, or one from another batch, is null."""

    episode: str | None
    job: str | None
    source: str
    title: str = ""
    status: JobState
    outline: bool = False
    """Whether an outline of the transcript stands in for Voxtral's analysis, which cannot run on the machine."""
    audio_s: float | None
    """Seconds of audio."""
    transcript_s: float | None
    """Seconds from submission to the transcript."""
    total_s: float | None
    """Seconds from submission to the end."""
    uri: str | None
    """URI of the folder of its results."""
    reason: str
    """Missing parts, or the reason of the failure."""


class LeftOut(Model):
    """A source that is no episode."""

    source: str
    reason: str


class BatchReport(Model):
    """`batch.json`: the outcome of a batch, with the failures first."""

    schema_version: Literal["1.0"] = "1.0"
    batch: str
    created_at: str
    written_at: str
    places: tuple[str, ...]
    """Sources that the user gave."""
    destination: str
    options: dict[str, Any]
    states: dict[JobState, int]
    episodes: tuple[ReportedEpisode, ...]
    skipped: tuple[LeftOut, ...]
