"""Memory pressure of a pool, recorded in Redis across its processes."""

from contextlib import suppress

import redis

from pipeline.errors import BrokerError
from pipeline.state.redis import connect
from workers.pool_reporter import pool_reporter

MOST_IN_A_ROW = 2
"""Consecutive out-of-memory failures after which the process is replaced instead of halving its batches."""
REMEMBERED_S = 3600
"""Seconds for which new processes start with smaller batches."""


def oom_halvings() -> int:
    """Return the number of halvings with which a new process starts, from recent out-of-memory restarts."""
    if not pool_reporter().pool:
        return 0
    with suppress(BrokerError, redis.RedisError), connect() as client:
        return MOST_IN_A_ROW * int(client.get(_key()) or 0)
    return 0


def record_oom() -> None:
    """Record that this process ran out of memory, so that new ones start with smaller batches for a while."""
    with suppress(BrokerError, redis.RedisError), connect() as client, client.pipeline() as pipe:
        pipe.incr(_key())
        pipe.expire(_key(), REMEMBERED_S)
        pipe.execute()


def _key() -> str:
    return f"duet:pool:{pool_reporter().pool}:out_of_memory"
