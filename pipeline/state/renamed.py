"""The jobs whose speakers or words were changed after their end, so that what was made of them is made again."""

import time
from collections.abc import Iterable
from typing import Any

from pipeline.settings import settings
from pipeline.state.redis import readable_errors

RENAMED = "duet:renamed"
"""Sorted set of jobs by the time of their last naming or correction."""


def note_renamed(client: Any, job: str) -> None:
    """Record that a job's speakers got other names, or its words were corrected.

    Raises:
        BrokerError: the broker does not answer.
    """
    now = time.time()
    with readable_errors(), client.pipeline() as pipe:
        pipe.zadd(RENAMED, {job: now})
        pipe.zremrangebyscore(RENAMED, "-inf", now - settings().keep_jobs_s)
        pipe.execute()


def renamed_at(client: Any) -> dict[str, float]:
    """Return the times at which speakers or words of jobs were last changed, by job.

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
