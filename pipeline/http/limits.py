"""Limits of each caller: requests per minute, and concurrent requests, over all servers of a broker."""

import asyncio
import math
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import Any
from uuid import uuid4

from limits import RateLimitItemPerMinute
from limits.aio.storage import RedisStorage
from limits.aio.strategies import SlidingWindowCounterRateLimiter

HELD_S = 40.0
"""Seconds for which a request of a dead server still counts."""
RENEWED_S = 10.0

# KEYS: slots. ARGV: now, member, until, limit.
_TAKE = """
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', ARGV[1])
if redis.call('ZCARD', KEYS[1]) >= tonumber(ARGV[4]) then return 0 end
redis.call('ZADD', KEYS[1], ARGV[3], ARGV[2])
redis.call('PEXPIREAT', KEYS[1], math.floor(tonumber(ARGV[3]) * 1000))
return 1
"""


async def wait_s(client: Any, caller: str, requests_per_minute: int) -> int:
    """Count a request and return 0, or return the seconds until the next try if it is beyond the limit."""
    storage = RedisStorage(
        "async+redis://", implementation="redispy", key_prefix="duet:rate", connection_pool=client.connection_pool
    )
    limiter, limit = SlidingWindowCounterRateLimiter(storage), RateLimitItemPerMinute(requests_per_minute)
    if await limiter.hit(limit, caller):
        return 0
    stats = await limiter.get_window_stats(limit, caller)
    return max(1, math.ceil(stats.reset_time - time.time()))


@asynccontextmanager
async def slot(client: Any, caller: str, at_once: int) -> AsyncIterator[bool]:
    """Reserve one of the caller's concurrent requests while the block runs; yields False if all are in use."""
    key, member = f"duet:slots:{caller}", uuid4().hex
    now = time.time()
    if not await client.eval(_TAKE, 1, key, now, member, now + HELD_S, at_once):
        yield False
        return
    renewal = asyncio.create_task(_renew(client, key, member))
    try:
        yield True
    finally:
        renewal.cancel()
        with suppress(asyncio.CancelledError):
            await renewal
        await client.zrem(key, member)


async def _renew(client: Any, key: str, member: str) -> None:
    while True:
        await asyncio.sleep(RENEWED_S)
        until = time.time() + HELD_S
        await client.zadd(key, {member: until}, xx=True)
        await client.pexpireat(key, int(until * 1000))
