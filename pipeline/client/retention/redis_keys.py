"""The Redis keys of a job that Celery and its leases write, besides those of the job store."""

from collections.abc import Iterable

from celery.backends.base import KeyValueStoreBackend

from pipeline.messaging.chord import STEPS
from pipeline.types import JobSpec
from pipeline.types.job import LEGS
from pipeline.types.records import JobRecord

GROUP_ENDINGS = (".j", ".t", ".s", ".c")
"""Suffixes of a chord's keys, some of which never expire."""
_RESULT: str = KeyValueStoreBackend.task_keyprefix
_GROUP: str = KeyValueStoreBackend.group_keyprefix


def result_keys(job: str, attempt: int) -> list[str]:
    """Return the keys of Celery's results and chord counters of all attempts of a job."""
    return [key for number in range(1, attempt + 1) for key in (*_results(job, number), *_counts(job, number))]


def counting_keys(record: JobRecord) -> list[str]:
    """Return the keys of the chord counters of a cancelled job with legs that are not skipped yet."""
    are_skipped = any(leg.outcome is None for leg in record.legs.values())
    return _counts(record.spec.job, record.spec.attempt) if are_skipped else []


def _results(job: str, attempt: int) -> list[str]:
    return [f"{_RESULT}{job}.{step}.{attempt}" for step in STEPS]


def _counts(job: str, attempt: int) -> list[str]:
    return [f"{_GROUP}{job}.legs.{attempt}{ending}" for ending in GROUP_ENDINGS]


def lease_keys(spec: JobSpec, questions: Iterable[str]) -> list[str]:
    """Return the keys of the leases of a job's attempt and of questions about it, given by their ids."""
    steps = (*LEGS, "opinion", *(f"question-{it}" for it in questions))
    return [f"duet:lease:{spec.task_id(step)}" for step in steps]
