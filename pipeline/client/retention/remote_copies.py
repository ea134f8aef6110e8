"""Copies of forgotten audio on other machines: each removes its own when it next fetches something, or looks."""

import time
from typing import Any

from pipeline.settings import settings
from pipeline.state.redis import readable_errors
from pipeline.storage.copies import Copies, key_of

FORGOTTEN = "duet:forgotten"
"""What the copies of forgotten audio are called, without saying whose, and when that was."""


def note_forgotten(client: Any, uri: str) -> None:
    """Ask every machine to remove its copies of an object that were made until now.

    Raises:
        BrokerError: the broker does not answer.
    """
    now = time.time()
    with readable_errors(), client.pipeline() as pipe:
        pipe.zadd(FORGOTTEN, {key_of(uri): now})
        pipe.zremrangebyscore(FORGOTTEN, "-inf", now - settings().keep_jobs_s)
        pipe.execute()


def clear_forgotten(client: Any) -> int:
    """Remove this machine's copies of what was forgotten anywhere, and return how many those were.

    Raises:
        BrokerError: the broker does not answer.
        OSError: the cache cannot be written.
    """
    with readable_errors():
        forgotten = dict(client.zrange(FORGOTTEN, 0, -1, withscores=True))
    copies = Copies(settings().cache_dir, settings().cache_limit_bytes)
    return copies.forget_all(forgotten) if forgotten else 0
