"""The feed of job changes: one subscription and one read per tick for all subscribers."""

import asyncio
from collections.abc import AsyncGenerator
from typing import Any

from pipeline.http.redis_clients import client
from pipeline.state.job_store import JOB_PREFIX, OPEN
from pipeline.state.redis import readable_errors
from pipeline.types import JobState
from pipeline.types.records import JobRecord

TICK_S = 0.5
PAGE = 1000
AT_WORK = (JobState.RUNNING.value, JobState.TRANSCRIBED.value)


class Subscriber:
    """A subscriber to one job, or to all; a record not fetched in time is replaced by a newer one."""

    def __init__(self, job: str | None) -> None:
        self.job = job
        self.changed_records: dict[str, JobRecord] = {}
        self.has_news = asyncio.Event()

    def notify(self, record: JobRecord) -> None:
        """Store a record, if the subscriber follows its job."""
        if self.job in (None, record.spec.job):
            self.changed_records[record.spec.job] = record
            self.has_news.set()


class JobFeed:
    """Reads changed jobs while there are subscribers, and passes the records on to them."""

    def __init__(self) -> None:
        self._listeners: set[Subscriber] = set()
        self._task: asyncio.Task[None] | None = None
        self._last: dict[str, dict[str, str]] = {}
        """Last fields of the jobs that are read in each tick: running ones, and those with a subscriber."""

    async def follow(self, job: str | None = None) -> AsyncGenerator[JobRecord, None]:
        """Yield the records of a job, or of all, as they change.

        Raises:
            BrokerError: the broker does not answer.
        """
        listener = Subscriber(job)
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
                listener.has_news.clear()
                changed_records, listener.changed_records = listener.changed_records, {}
                for record in changed_records.values():
                    yield record
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
        jobs = list(changed | self._last.keys())
        async with redis.pipeline(transaction=False) as pipe:
            for job in jobs:
                pipe.hgetall(f"{JOB_PREFIX}{job}")
            found = await pipe.execute()
        for job, fields in zip(jobs, found, strict=True):
            if fields and fields != self._last.get(job):
                record = JobRecord.from_hash(fields)
                for listener in self._listeners:
                    listener.notify(record)
            if fields.get("state") in AT_WORK or any(it.job == job for it in self._listeners):
                self._last[job] = fields
            else:
                self._last.pop(job, None)


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
