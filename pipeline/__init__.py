"""Duet: podcast episodes to transcripts in seconds and to what was said in them in minutes.

>>> from pipeline import submit
>>> job = submit("ep.mp3", to="s3://bucket/prefix")
>>> job.transcript(timeout=60).text
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pipeline.api import submit, submit_all, submit_feed, submit_folder
    from pipeline.batch import Batch, Progress
    from pipeline.dead_letters import failed_jobs
    from pipeline.job import Job
    from pipeline.submitting import Submitted
    from pipeline.types import (
        Analysis,
        EpisodeResult,
        JobState,
        LegOutcome,
        Options,
        Segment,
        Transcript,
        Word,
    )
    from pipeline.types.found import Rejected, Skipped

# Loaded when first used: a web application that imports Duet should not pay for what it does not call.
_HOMES = {
    "submit": "pipeline.api",
    "submit_all": "pipeline.api",
    "submit_feed": "pipeline.api",
    "submit_folder": "pipeline.api",
    "Batch": "pipeline.batch",
    "Progress": "pipeline.batch",
    "Rejected": "pipeline.sources.source",
    "Skipped": "pipeline.sources.source",
    "Submitted": "pipeline.submitting",
    "Job": "pipeline.job",
    "failed_jobs": "pipeline.dead_letters",
    "Analysis": "pipeline.types",
    "EpisodeResult": "pipeline.types",
    "JobState": "pipeline.types",
    "LegOutcome": "pipeline.types",
    "Options": "pipeline.types",
    "Segment": "pipeline.types",
    "Transcript": "pipeline.types",
    "Word": "pipeline.types",
}

__all__ = [
    # Enqueue
    "submit",
    "submit_all",
    "submit_feed",
    "submit_folder",
    # Wait and read
    "Job",
    "Batch",
    "Progress",
    "Rejected",
    "Skipped",
    "Submitted",
    # Do again what is missing
    "failed_jobs",
    # Values
    "Options",
    "JobState",
    "LegOutcome",
    "Transcript",
    "Segment",
    "Word",
    "Analysis",
    "EpisodeResult",
]  # fmt: skip


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'pipeline' has no attribute {name!r}")
    return getattr(import_module(_HOMES[name]), name)
