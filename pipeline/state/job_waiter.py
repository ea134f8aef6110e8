"""The waiter of jobs for asyncio: four connections to the state Redis for each event loop, however many wait."""

import asyncio
import contextlib
from collections import defaultdict
from typing import Any
from weakref import WeakKeyDictionary

import redis.asyncio
from redis.exceptions import RedisError

from pipeline.state.job_store import JOB_PREFIX, RECHECK_S
from pipeline.state.redis import readable_errors, state_url, unreachable
from pipeline.state.refusals import refusing_later
from pipeline.types import JobState
from pipeline.types.records import JobRecord, too_late
from pipeline.types.redis_url import for_redis_py

CONNECTIONS = 4
"""Number of connections: one subscribes to changes, the others read jobs."""


def connect_async(url: str, connections: int, *, timeout_s: float | None = 20.0) -> Any:
    """Return an asyncio client of the state Redis; it connects when it is used.

    Args:
        url: its address in the canonical form.
        connections: largest number of connections at once; a request beyond it waits for a free one.
        timeout_s: longest wait for a free connection in seconds; None means no limit.
    """
    pool = redis.asyncio.BlockingConnectionPool.from_url(
        for_redis_py(url), decode_responses=True, max_connections=connections, timeout=timeout_s
    )
    pool.connection_class = refusing_later(pool.connection_class)
    return redis.asyncio.Redis(connection_pool=pool)


class JobWaiter:
    """Wakes every waiter of a job when Redis publishes a change of it."""

    def __init__(self, url: str) -> None:
        self.redis: Any = connect_async(url, CONNECTIONS, timeout_s=None)
        self._waiting: defaultdict[str, set[asyncio.Event]] = defaultdict(set)
        self._listener: asyncio.Task[None] | None = None
        self._starting = asyncio.Lock()
        self._error: Exception | None = None

    async def wait(self, job: str, reached: JobState, timeout_s: float | None) -> JobRecord:
        """Return a job's record once it has reached a state or a later one.

        Raises:
            WaitTimeoutError: the job has not reached it in time.
            BrokerError: the broker does not respond.
        """
        event = asyncio.Event()
        loop = asyncio.get_running_loop()
        deadline = None if timeout_s is None else loop.time() + timeout_s
        self._waiting[job].add(event)
        try:
            await self._listen()
            while True:
                event.clear()
                record = await self._get(job)
                if record and record.has_reached(reached):
                    return record
                left_s = RECHECK_S if deadline is None else min(RECHECK_S, deadline - loop.time())
                if left_s <= 0:
                    raise too_late(job, record, reached, timeout_s)
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(event.wait(), left_s)
        finally:
            self._leave(job, event)

    async def _get(self, job: str) -> JobRecord | None:
        if self._error:
            raise unreachable(self._error) from None
        with readable_errors():
            fields = await self.redis.hgetall(f"{JOB_PREFIX}{job}")
        return JobRecord.from_hash(fields) if fields else None

    async def _listen(self) -> None:
        async with self._starting:
            if self._listener is None or self._listener.done():
                self._error = None
                changes = self.redis.pubsub(ignore_subscribe_messages=True)
                with readable_errors():
                    await changes.psubscribe(f"{JOB_PREFIX}*")
                self._listener = asyncio.create_task(self._notify(changes))

    async def _notify(self, changes: Any) -> None:
        try:
            async with changes:
                while self._waiting:
                    message = await changes.get_message(timeout=RECHECK_S)
                    if message:
                        self._wake(message["channel"].removeprefix(JOB_PREFIX))
        except RedisError as error:
            self._error = error
            for job in list(self._waiting):
                self._wake(job)

    def _wake(self, job: str) -> None:
        for event in self._waiting.get(job, ()):
            event.set()

    def _leave(self, job: str, event: asyncio.Event) -> None:
        self._waiting[job].discard(event)
        if not self._waiting[job]:
            del self._waiting[job]
        if not self._waiting and self._listener:
            self._listener.cancel()
            self._listener = None


_waiters: WeakKeyDictionary[asyncio.AbstractEventLoop, dict[str, JobWaiter]] = WeakKeyDictionary()


def job_waiter() -> JobWaiter:
    """Return the waiter of jobs of the running event loop."""
    own = _waiters.setdefault(asyncio.get_running_loop(), {})
    return own.setdefault(state_url(), JobWaiter(state_url()))
