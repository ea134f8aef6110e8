"""Removal of ended jobs from Redis, with their batches and the inbox entries of deleted files.

Results stay; a job that is submitted again is found to be done by its `result.json`.
"""

import logging
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from pipeline.client.inbox import Inbox
from pipeline.client.retention.job_files import THREADS, clear_work, remove_upload
from pipeline.client.retention.redis_keys import result_keys
from pipeline.errors import DuetError, TransientError
from pipeline.settings import settings
from pipeline.state.batch_store import BatchStore
from pipeline.state.job_store import JobStore
from pipeline.types import JobSpec, JobState

logger = logging.getLogger(__name__)
PAGE = 500
FIELDS = ("spec", "attempt", "state", "ended_at", "submitted_at")
STATES = frozenset(it.value for it in JobState if it.is_final)


@dataclass(frozen=True)
class RetiredCounts:
    """Numbers of removed entries."""

    jobs: int
    batches: int
    inbox_entries: int


@dataclass(frozen=True)
class _EndedJob:
    job: str
    attempt: int
    ended_at: float
    spec: JobSpec | None
    """None if it is of another version of Duet; then the job is removed only from Redis."""


def retire(job_store: JobStore, keep_s: float, now: float, time_limit_s: float = 120.0) -> RetiredCounts:
    """Remove the jobs that ended `keep_s` seconds ago; the next call continues after `time_limit_s`.

    Raises:
        BrokerError: the broker does not answer.
    """
    jobs = _retire_jobs(job_store, now - keep_s, keep_s, time.monotonic() + time_limit_s)
    return RetiredCounts(jobs, _retire_batches(job_store, now - keep_s), _retire_inbox_entries(job_store))


def _retire_jobs(job_store: JobStore, before: float, keep_s: float, deadline: float) -> int:
    gone = stays = 0
    while time.monotonic() < deadline:
        page = job_store.submitted_before(before, stays, PAGE)
        if not page:
            break
        ended = [it for it in _read_ended(job_store, page) if it.ended_at <= before]
        with ThreadPoolExecutor(THREADS) as threads:
            is_clear = threads.map(lambda it: _clear_files(it, gives_up=it.ended_at <= before - keep_s), ended)
        cleared = [it for it, done in zip(ended, is_clear, strict=True) if done]
        keys = [result_keys(it.job, it.attempt) for it in cleared]
        removed = sum(job_store.remove([(it.job, it.attempt) for it in cleared], before, keys))
        gone += removed
        stays += len(page) - removed
    return gone


def _read_ended(job_store: JobStore, jobs: Sequence[str]) -> list[_EndedJob]:
    found = []
    for job, fields in zip(jobs, job_store.fields(jobs, FIELDS), strict=True):
        if fields["state"] in STATES or fields["state"] is None:
            ended_at = float(fields["ended_at"] or fields["submitted_at"] or 0.0)
            found.append(_EndedJob(job, int(fields["attempt"] or 0), ended_at, _spec(job, fields["spec"])))
    return found


def _spec(job: str, text: str | None) -> JobSpec | None:
    try:
        return JobSpec.from_json(text or "")
    except ValueError:
        logger.warning("The record of job %s is of another version of Duet; its work files are not removed.", job)
        return None


def _clear_files(ended: _EndedJob, *, gives_up: bool) -> bool:
    """Remove the files that only another attempt could use; return False after a transient storage error."""
    if ended.spec is None:
        return True
    try:
        remove_upload(ended.spec)
        clear_work(ended.spec)
    except TransientError as error:
        logger.warning("Work files of job %s are still there: %s", ended.job, error)
        return gives_up
    except DuetError as error:
        logger.warning("Work files of job %s cannot be removed: %s", ended.job, error)
    return True


def _retire_batches(job_store: JobStore, before: float) -> int:
    batches = BatchStore(job_store.redis)
    old = [batch for batch in batches.created_before(before) if not _has_jobs(batch, batches, job_store)]
    for batch in old:
        batches.remove(batch)
    return len(old)


def _has_jobs(batch: str, batches: BatchStore, job_store: JobStore) -> bool:
    return any(job_store.states(entry.job for entry in batches.entries(batch)))


def _retire_inbox_entries(job_store: JobStore) -> int:
    count = 0
    for place in settings().inbox:
        try:
            count += Inbox(place, settings().inbox_to, job_store).forget_gone()
        except (DuetError, OSError) as error:
            logger.warning("The inbox %s cannot be read: %s", place, error)
    return count
