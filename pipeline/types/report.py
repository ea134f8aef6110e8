"""The content of `batch.json`."""

from typing import Any, Literal

from pydantic import Field

from pipeline.types.job import JobState, Leg
from pipeline.types.model import Model


class ReportedEpisode(Model):
    """One episode of the batch; an unknown value, or one from another batch, is null."""

    episode: str | None
    job: str | None
    source: str
    title: str = ""
    show: str = ""
    published_at: str | None = None
    """Time of publication in ISO 8601."""
    summary: str = ""
    """Voxtral's summary in one sentence, or a sentence quoted from the transcript where `outline` is true."""
    topics: tuple[str, ...] = ()
    words: int | None = None
    """Words of the transcript, divided at blanks."""
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


class Missed(Model):
    """A part of results that is missing for one reason."""

    reason: str
    """The reason in the shortest words."""
    outline: bool = False
    """Whether the episodes have an outline instead of an analysis."""
    details: tuple[str, ...] = ()
    """The sentences of the episodes, if they say more."""
    sources: tuple[str, ...]
    """The episodes that it concerns."""


class LegTotals(Model):
    """The work of one leg in this batch, without loading of models, waiting, and results of earlier attempts."""

    episodes: int
    audio_s: float
    work_s: float
    gpu_s: float
    """Seconds of work on CUDA devices."""
    speed_median: float
    """Seconds of audio in a second of work; half of the episodes are faster."""
    speed_least: float
    speed_most: float


class ReportTotals(Model):
    """The sums of a batch."""

    audio_s: float
    """Seconds of audio of all episodes."""
    words: int
    took_s: float
    """Seconds from the start of the batch to its last end."""
    legs: dict[Leg, LegTotals] = Field(default_factory=dict)
    """The legs that worked in this batch."""
    gpu_cost_per_hour: float | None = None
    """`DUET_GPU_COST_PER_HOUR` where the report was written."""
    estimated_cost: float | None = None
    """Cost of the legs' `gpu_s` at that price; an upper bound, since pools that share a device are counted each."""


class BatchReport(Model):
    """`batch.json`: the outcome of a batch, with the failures first."""

    schema_version: Literal["1.0", "1.1"] = "1.1"
    batch: str
    created_at: str
    written_at: str
    places: tuple[str, ...]
    """Sources that the user gave."""
    destination: str
    options: dict[str, Any]
    states: dict[JobState, int]
    totals: ReportTotals | None = None
    """None in reports before 1.1."""
    missed: tuple[Missed, ...] = ()
    episodes: tuple[ReportedEpisode, ...]
    skipped: tuple[LeftOut, ...]
