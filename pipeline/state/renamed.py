"""The jobs whose speakers got other names after their end, so that what was made of the transcript is made again."""

import time
from collections.abc import Iterable
from typing import Any

from pipeline.settings import settings
from pipeline.state.redis import readable_errors

RENAMED = "duet:renamed"
"""Sorted set of jobs by the time of their last naming."""


def note_renamed(client: Any, job: str) -> None:
    """Record that a job's speakers got other names.

    Raises:
        BrokerError: the broker does not answer.
    """
    now = time.time()
    with readable_errors(), client.pipeline() as pipe:
        pipe.zadd(RENAMED, {job: now})
        pipe.zremrangebyscore(RENAMED, "-inf", now - settings().keep_jobs_s)
        pipe.execute()


def renamed_at(client: Any) -> dict[str, float]:
    """Return the times at which speakers of jobs last got other names, by job.

    Raises:
        BrokerError: the broker does not answer.
    """
    with readable_errors():
        return dict(client.zrange(RENAMED, 0, -1, withscores=True))


def forget_renamed(client: Any, jobs: Iterable[str]) -> None:
    """Remove the records of some jobs.

    Raises:
        BrokerError: the broker does not answer.
    """
    if gone := list(jobs):
        with readable_errors():
            client.zrem(RENAMED, *gone)
