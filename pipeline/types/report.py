"""The content of `batch.json`."""

from typing import Any, Literal

from pipeline.types.job import JobState
from pipeline.types.model import Model


class ReportedEpisode(Model):
    """One episode of the batch; what is not known, or not of this batch, is null."""

    episode: str | None
    job: str | None
    source: str
    status: JobState
    audio_s: float | None
    """Its length."""
    transcript_s: float | None
    """From submitting to the transcript."""
    total_s: float | None
    """From submitting to the end."""
    uri: str | None
    """The folder of its results."""
    reason: str
    """What is missing or went wrong."""


class LeftOut(Model):
    """Something that was found and is no episode."""

    source: str
    reason: str


class BatchReport(Model):
    """`batch.json`: what became of a batch, the failures first."""

    schema_version: Literal["1.0"] = "1.0"
    batch: str
    created_at: str
    written_at: str
    places: tuple[str, ...]
    """What was asked for."""
    destination: str
    options: dict[str, Any]
    states: dict[JobState, int]
    episodes: tuple[ReportedEpisode, ...]
    skipped: tuple[LeftOut, ...]
