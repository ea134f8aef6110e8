"""The backlog of each leg in seconds of audio, and the speed of a host, from the job store."""

from collections.abc import Iterable, Sequence
from statistics import median

from pipeline.scaling.decision import Backlog
from pipeline.state.job_store import JobStore
from pipeline.types import LEGS, Leg
from pipeline.types.records import JobRecord

BYTES_PER_S = 16_000.0
"""Bytes per second of MP3 at 128 kbit/s, the default until a job of this job store has a known length."""
RECENT = 200
"""Number of newest jobs that speeds are measured from."""


def open_records(job_store: JobStore) -> list[JobRecord]:
    """Return the jobs that have not ended."""
    return [it for it in job_store.get_many(job_store.open_jobs()) if it and not it.state.is_final]


def recent_records(job_store: JobStore) -> list[JobRecord]:
    """Return the newest jobs by submission."""
    return [it for it in job_store.get_many(job_store.jobs()[-RECENT:]) if it]


def waiting(records: Iterable[JobRecord], bytes_per_s: float, now: float) -> list[Backlog]:
    """Return the backlog of each leg in seconds of audio, oldest job first.

    Args:
        records: the jobs that have not ended.
        bytes_per_s: mean size of a second of audio, as an episode's length is unknown until a leg has begun.
        now: seconds since the epoch.
    """
    found = []
    for record in sorted(records, key=lambda it: it.submitted_at):
        length_s = record.audio_s or record.spec.episode.size_bytes / bytes_per_s
        open_legs = [leg for leg in LEGS if record.spec.options.runs(leg) and record.legs[leg].outcome is None]
        left_s = {leg: max(0.0, length_s - record.legs[leg].done_s) for leg in open_legs}
        found.append(Backlog(now - record.submitted_at, left_s))
    return found


def bytes_per_s(records: Iterable[JobRecord]) -> float:
    """Return the median bytes per second of audio, from jobs of known length."""
    found = [it.spec.episode.size_bytes / it.audio_s for it in records if it.audio_s]
    return median(found) if found else BYTES_PER_S


def speeds(records: Sequence[JobRecord]) -> dict[Leg, float]:
    """Return the seconds of audio that a host processes in a second, for each leg with a measurement.

    The measured time includes any wait for the other leg.
    """
    found: dict[Leg, float] = {}
    for leg in LEGS:
        ended = [it.legs[leg].outcome for it in records]
        measured = [it for it in ended if it and it.status == "ok" and not it.reused and it.audio_s and it.work_s]
        if measured:
            found[leg] = sum(it.audio_s or 0.0 for it in measured) / sum(it.work_s for it in measured)
    return found
