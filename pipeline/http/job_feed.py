"""The feed of job changes: one subscription and one read per tick for all subscribers."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import aclosing
from itertools import islice
from typing import Any

from pipeline.http.redis_clients import client
from pipeline.state.job_store import JOB_PREFIX, OPEN
from pipeline.state.redis import readable_errors
from pipeline.types import LEGS, JobState
from pipeline.types.records import JobRecord

TICK_S = 0.5
PAGE = 1000
IDLE_JOBS = 200
"""Number of running jobs without a leg at work that are read in a tick."""
AT_WORK = (JobState.RUNNING.value, JobState.TRANSCRIBED.value)


class Subscriber:
    """A subscriber to one job, or to all; a record not fetched in time is replaced by a newer one."""

    def __init__(self, job: str | None, at_most: int | None) -> None:
        self.job = job
        self._at_most = at_most
        self._changed: dict[str, dict[str, str]] = {}
        self._left_out: set[str] = set()
        self.has_news = asyncio.Event()

    def notify(self, job: str, fields: dict[str, str]) -> None:
        """Store the fields of a changed job, if the subscriber follows it."""
        if self.job not in (None, job):
            return
        if self._at_most is None or len(self._changed) < self._at_most or job in self._changed:
            self._changed[job] = fields
        else:
            self._left_out.add(job)
        self.has_news.set()

    def take(self) -> tuple[list[JobRecord], int]:
        """Return the records of the jobs that have changed, and the number of further ones that were left out."""
        changed, left_out = self._changed, len(self._left_out)
        self._changed, self._left_out = {}, set()
        self.has_news.clear()
        return [JobRecord.from_hash(fields) for fields in changed.values()], left_out


class JobFeed:
    """Reads changed jobs while there are subscribers, and passes the records on to them."""

    def __init__(self) -> None:
        self._listeners: set[Subscriber] = set()
        self._task: asyncio.Task[None] | None = None
        self._last: dict[str, dict[str, str]] = {}
        """Last fields of the jobs that are read in each tick: running ones, and those with a subscriber."""

    async def follow(self, job: str) -> AsyncGenerator[JobRecord, None]:
        """Yield the records of a job as they change.

        Raises:
            BrokerError: the broker does not answer.
        """
        async with aclosing(self._follow(Subscriber(job, None))) as pages:
            async for records, _ in pages:
                for record in records:
                    yield record

    async def follow_all(self, at_most: int | None) -> AsyncGenerator[tuple[list[JobRecord], int], None]:
        """Yield the records of changed jobs, at most so many at once, and the number of those left out.

        Raises:
            BrokerError: the broker does not answer.
        """
        async with aclosing(self._follow(Subscriber(None, at_most))) as pages:
            async for page in pages:
                yield page

    async def _follow(self, listener: Subscriber) -> AsyncGenerator[tuple[list[JobRecord], int], None]:
        job = listener.job
        self._listeners.add(listener)
        if job:
            self._last[job] = {}  # the current record counts as changed
        if self._task is None or self._task.done():
            self._task = asyncio.create_task(self._run())
        task = self._task
        try:
            while True:
                has_news = asyncio.create_task(listener.has_news.wait())
                try:
                    await asyncio.wait({has_news, task}, return_when=asyncio.FIRST_COMPLETED)
                finally:
                    has_news.cancel()
                if task.done():
                    task.result()  # raises the error of the task
                    return
                yield listener.take()
        finally:
            self._listeners.discard(listener)
            if not self._listeners and self._task:
                self._task.cancel()
                self._task = None
                self._last.clear()

    async def _run(self) -> None:
        redis = client()
        with readable_errors():
            async with redis.pubsub(ignore_subscribe_messages=True) as changes:
                await changes.psubscribe(f"{JOB_PREFIX}*")
                for job in await _at_work(redis):
                    self._last.setdefault(job, {})
                while True:
                    await self._look(redis, await _changed(changes))

    async def _look(self, redis: Any, changed: set[str]) -> None:
        """Publish the jobs that have changed since the last tick."""
        jobs = list(changed | self._due())
        async with redis.pipeline(transaction=False) as pipe:
            for job in jobs:
                pipe.hgetall(f"{JOB_PREFIX}{job}")
            found = await pipe.execute()
        for job, fields in zip(jobs, found, strict=True):
            if fields and fields != self._last.get(job):
                for listener in self._listeners:
                    listener.notify(job, fields)
            self._last.pop(job, None)  # and to the end of those that are looked at in turn
            if fields.get("state") in AT_WORK or any(it.job == job for it in self._listeners):
                self._last[job] = fields

    def _due(self) -> set[str]:
        """Return the jobs to read in this tick: those at work or followed, and some of those that only wait, in turn.

        A job of which one leg was skipped is running, although its other leg waits; there may be thousands.
        """
        followed = {it.job for it in self._listeners}
        due = {job for job, fields in self._last.items() if job in followed or not fields or _has_leg_at_work(fields)}
        return due | set(islice((job for job in self._last if job not in due), IDLE_JOBS))


def _has_leg_at_work(fields: dict[str, str]) -> bool:
    return any(f"{leg}.started_at" in fields and f"{leg}.outcome" not in fields for leg in LEGS)


async def _changed(changes: Any) -> set[str]:
    """Return the jobs with a published change within a tick."""
    loop = asyncio.get_running_loop()
    until, jobs = loop.time() + TICK_S, set()
    while (left_s := until - loop.time()) > 0:
        message = await changes.get_message(timeout=left_s)
        if message:
            jobs.add(message["channel"].removeprefix(JOB_PREFIX))
            until = min(until, loop.time() + TICK_S / 5)
    return jobs


async def _at_work(redis: Any) -> list[str]:
    """Return the running jobs among all open ones."""
    jobs = list(await redis.smembers(OPEN))
    found = []
    for first in range(0, len(jobs), PAGE):
        page = jobs[first : first + PAGE]
        async with redis.pipeline(transaction=False) as pipe:
            for job in page:
                pipe.hget(f"{JOB_PREFIX}{job}", "state")
            found += [job for job, state in zip(page, await pipe.execute(), strict=True) if state in AT_WORK]
    return found
