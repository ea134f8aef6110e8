"""Removal of copies of audio on other machines: each removes its own after its next download or check."""

import time
from typing import Any

from pipeline.settings import settings
from pipeline.state.redis import readable_errors
from pipeline.storage.copies import Copies, key_of

FORGOTTEN = "duet:forgotten"
"""Sorted set of hashed names of removed audio's copies, by the time of removal."""


def note_forgotten(client: Any, uri: str) -> None:
    """Request every machine to remove its copies of an object made until now.

    Raises:
        BrokerError: the broker does not answer.
    """
    now = time.time()
    with readable_errors(), client.pipeline() as pipe:
        pipe.zadd(FORGOTTEN, {key_of(uri): now})
        pipe.zremrangebyscore(FORGOTTEN, "-inf", now - settings().keep_jobs_s)
        pipe.execute()


def clear_forgotten(client: Any) -> int:
    """Remove this machine's copies of audio that was removed on any machine, and return their number.

    Raises:
        BrokerError: the broker does not answer.
        OSError: the cache cannot be written.
    """
    with readable_errors():
        forgotten = dict(client.zrange(FORGOTTEN, 0, -1, withscores=True))
    copies = Copies(settings().cache_dir, settings().cache_limit_bytes)
    return copies.forget_all(forgotten) if forgotten else 0
