"""What a pool's fresh processes are to know of those before them that ran out of memory."""

from contextlib import suppress

import redis

from pipeline.errors import BrokerError
from pipeline.state.redis import connect
from workers.pool_reporter import pool_reporter

MOST_IN_A_ROW = 2
"""So often the work is halved, in a row, before the process is taken for spoilt."""
REMEMBERED_S = 3600
"""How long fresh processes begin with less at once."""


def oom_halvings() -> int:
    """Return how often processes of this pool before this one have run out of memory, of late, twice in a row."""
    if not pool_reporter().pool:
        return 0
    with suppress(BrokerError, redis.RedisError), connect() as client:
        return MOST_IN_A_ROW * int(client.get(_key()) or 0)
    return 0


def record_oom() -> None:
    """Have fresh processes of this pool begin with less at once, for a while."""
    with suppress(BrokerError, redis.RedisError), connect() as client, client.pipeline() as pipe:
        pipe.incr(_key())
        pipe.expire(_key(), REMEMBERED_S)
        pipe.execute()


def _key() -> str:
    return f"duet:pool:{pool_reporter().pool}:out_of_memory"
