"""Duet: transcripts of podcast episodes in seconds and their analysis in minutes.

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

# Imported on first use, so that a web application that imports Duet loads only the modules it uses.
_MODULES = {
    "pipeline.client.api": ("submit", "submit_all", "submit_feed", "submit_folder"),
    "pipeline.client.batch": ("Batch", "Progress"),
    "pipeline.client.dead_letters": ("failed_jobs",),
    "pipeline.client.job": ("Job",),
    "pipeline.types.found": ("Rejected", "Skipped"),
    "pipeline.types.submitted": ("Submitted",),
}
_HOMES = {name: module for module, names in _MODULES.items() for name in names}

__all__ = [
    # Submit
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
    # Retry
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
    if name not in __all__:
        raise AttributeError(f"module 'pipeline' has no attribute {name!r}")
    return getattr(import_module(_HOMES.get(name, "pipeline.types")), name)
