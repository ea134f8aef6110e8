"""The backlog of each leg in seconds of audio, and the speed of a host, from the job store."""

from collections.abc import Iterable, Sequence
from statistics import median

from pipeline.scaling.decision import Backlog
from pipeline.state.job_store import JobStore
from pipeline.types import LEGS, Leg
from pipeline.types.records import JobRecord

BYTES_PER_S = 16_000.0
"""Of MP3 at 128 kbit/s, until a job of this job store has said better."""
RECENT = 200
"""Jobs from which speeds are taken, the newest ones."""


def open_records(job_store: JobStore) -> list[JobRecord]:
    """Return the jobs that have not ended."""
    return [it for it in job_store.get_many(job_store.open_jobs()) if it and not it.state.is_final]


def recent_records(job_store: JobStore) -> list[JobRecord]:
    """Return the jobs that were submitted last."""
    return [it for it in job_store.get_many(job_store.jobs()[-RECENT:]) if it]


def waiting(records: Iterable[JobRecord], bytes_per_s: float, now: float) -> list[Backlog]:
    """Return the backlog of each leg in seconds of audio, oldest job first.

    Args:
        records: the jobs that have not ended.
        bytes_per_s: how large a second of audio is; an episode's length is known only once a leg has begun.
        now: seconds since the epoch.
    """
    found = []
    for it in sorted(records, key=lambda it: it.submitted_at):
        length_s = it.audio_s or it.spec.episode.size_bytes / bytes_per_s
        open_legs = [leg for leg in it.spec.options.legs if it.legs[leg].outcome is None]
        left_s = {leg: max(0.0, length_s - it.legs[leg].done_s) for leg in open_legs}
        found.append(Backlog(now - it.submitted_at, left_s))
    return found


def bytes_per_s(records: Iterable[JobRecord]) -> float:
    """Return the bytes of a second of audio, from jobs whose length is known."""
    found = [it.spec.episode.size_bytes / it.audio_s for it in records if it.audio_s]
    return median(found) if found else BYTES_PER_S


def speeds(records: Sequence[JobRecord]) -> dict[Leg, float]:
    """Return the seconds of audio that a host processes in a second, for each leg that has worked.

    That is of the time at work as it was, waiting for the other leg included.
    """
    found: dict[Leg, float] = {}
    for leg in LEGS:
        ended = [it.legs[leg].outcome for it in records]
        heard = [it for it in ended if it and it.status == "ok" and not it.reused and it.audio_s and it.work_s]
        if heard:
            found[leg] = sum(it.audio_s or 0.0 for it in heard) / sum(it.work_s for it in heard)
    return found
