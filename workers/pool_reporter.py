"""Pool status in Redis: device, model, loading progress and time of last use of a worker process."""

import logging
import os
import socket
import time
from functools import lru_cache

import redis

from pipeline.errors import BrokerError
from pipeline.state.redis import connect
from pipeline.state.worker_registry import REMEMBERED_S, WORKER_VARIABLE, state_key
from pipeline.types.pools import POOL_VARIABLE

logger = logging.getLogger(__name__)


class PoolReporter:
    """Writer of a worker's status hash; of several processes in one worker, the last write wins.

    The hash expires with the worker's heartbeat (`pipeline.state.worker_registry`). A process outside any pool, such as
    a benchmark, publishes nothing. A broker outage is logged and does not stop the work.
    """

    def __init__(self, pool: str, worker: str) -> None:
        self.pool = pool
        self._worker = worker

    def reset(self, **fields: object) -> None:
        """Replace the pool's status."""
        self._write({"host": socket.gethostname(), "pid": os.getpid(), "since": time.time()} | fields, anew=True)

    def update(self, **fields: object) -> None:
        """Update fields of the pool's status; None deletes a field."""
        self._write(fields, anew=False)

    def add_busy_time(self, seconds: float) -> None:
        """Add to the busy time, in seconds, and mark the process idle."""
        self._write({"used_at": time.time(), "busy_since": None}, anew=False, busy_s=seconds)

    def _write(self, fields: dict[str, object], *, anew: bool, busy_s: float = 0.0) -> None:
        if not self.pool or not self._worker:
            return
        key = state_key(self._worker)
        gone = [name for name, value in fields.items() if value is None]
        there = {name: str(value) for name, value in fields.items() if value is not None}
        try:
            with connect() as client, client.pipeline() as pipe:
                if anew:
                    pipe.delete(key)
                if there:
                    pipe.hset(key, mapping=there)
                if gone:
                    pipe.hdel(key, *gone)
                if busy_s:
                    pipe.hincrbyfloat(key, "busy_s", busy_s)
                pipe.expire(key, REMEMBERED_S)
                pipe.execute()
        except (BrokerError, redis.RedisError) as error:
            logger.warning("%s", error)


@lru_cache(maxsize=1)
def pool_reporter() -> PoolReporter:
    """Return the reporter of this process."""
    return PoolReporter(os.environ.get(POOL_VARIABLE, ""), os.environ.get(WORKER_VARIABLE, ""))
