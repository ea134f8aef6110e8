"""The Redis keys that Celery and the leases leave of a job, besides those of the ledger."""

from celery.backends.base import KeyValueStoreBackend

from pipeline.canvas import STEPS
from pipeline.types import JobSpec

GROUP_ENDINGS = (".j", ".t", ".s", ".c")
"""Of a chord's keys, some of which never expire."""
_RESULT: str = KeyValueStoreBackend.task_keyprefix
_GROUP: str = KeyValueStoreBackend.group_keyprefix


def result_keys(job: str, attempt: int) -> list[str]:
    """Return where Celery keeps the results of all attempts of a job, and counts the legs of each."""
    return [
        key
        for number in range(1, attempt + 1)
        for key in (
            *(f"{_RESULT}{job}.{step}.{number}" for step in STEPS),
            *(f"{_GROUP}{job}.legs.{number}{ending}" for ending in GROUP_ENDINGS),
        )
    ]


def lease_keys(spec: JobSpec) -> list[str]:
    """Return what is there while a process works at an attempt of a job."""
    return [f"duet:lease:{spec.task_id(step)}" for step in ("whisper", "voxtral", "opinion")]
