"""Duet: podcast episodes to transcripts in seconds and to what was said in them in minutes.

>>> from pipeline import submit
>>> job = submit("ep.mp3", to="s3://bucket/prefix")
>>> job.transcript(timeout=60).text
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pipeline.client.api import submit, submit_all, submit_feed, submit_folder
    from pipeline.client.batch import Batch, Progress
    from pipeline.client.dead_letters import failed_jobs
    from pipeline.client.job import Job
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
    from pipeline.types.submitted import Submitted

# Loaded when first used: a web application that imports Duet should not pay for what it does not call.
_HOMES = {
    "submit": "pipeline.client.api",
    "submit_all": "pipeline.client.api",
    "submit_feed": "pipeline.client.api",
    "submit_folder": "pipeline.client.api",
    "Batch": "pipeline.client.batch",
    "Progress": "pipeline.client.batch",
    "Rejected": "pipeline.sources.source",
    "Skipped": "pipeline.sources.source",
    "Submitted": "pipeline.types.submitted",
    "Job": "pipeline.client.job",
    "failed_jobs": "pipeline.client.dead_letters",
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
