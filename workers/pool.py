"""What happens when a pool starts: its child loads the model once and says that it is ready."""

import logging
import os
import socket
import time
from functools import lru_cache
from typing import Any

from celery.signals import worker_process_init

from pipeline.broker import connect
from pipeline.errors import DuetError
from pipeline.pools import POOL_VARIABLE, pool_key
from pipeline.settings import settings
from workers.engines import Analyst, Transcriber
from workers.voxtral import Skipped, load_analyst

logger = logging.getLogger(__name__)


@lru_cache(maxsize=1)
def transcriber() -> Transcriber:
    """Return this process's transcriber; the first call loads it.

    Raises:
        EngineError: the model or the device is not to be had.
    """
    from workers.whisper.choice import load_transcriber

    return load_transcriber(settings())


@lru_cache(maxsize=1)
def analyst() -> Analyst | Skipped:
    """Return this process's analyst, or why there is none; the first call loads it.

    Raises:
        EngineError: the model or the device is not to be had although it was asked for.
    """
    return load_analyst(settings())


@worker_process_init.connect  # type: ignore[untyped-decorator]
def warm_up(**_: Any) -> None:
    """Load the pool's model, and publish in Redis that it is ready or why it never will be."""
    pool = os.environ.get(POOL_VARIABLE, "")
    started = time.monotonic()
    try:
        model = _load(pool)
        state = {"status": "ready", "model": model}
    except DuetError as error:
        # The process stays: it answers each episode with this sentence instead of leaving it in the queue.
        logger.error("%s", error)
        state = {"status": "failed", "reason": str(error)}
    publish(pool, state | {"loading_s": round(time.monotonic() - started, 2)})


def publish(pool: str, state: dict[str, object]) -> None:
    """Write what this process is into the pool's hash in Redis."""
    own = {"host": socket.gethostname(), "pid": os.getpid(), "since": time.time()}
    if pool:
        with connect() as client, client.pipeline() as pipe:
            pipe.delete(pool_key(pool))
            pipe.hset(pool_key(pool), mapping={name: str(value) for name, value in (own | state).items()})
            pipe.execute()


def _load(pool: str) -> str:
    if pool == "whisper":
        return transcriber().model
    if pool == "voxtral":
        chosen = analyst()
        return chosen.model if not isinstance(chosen, Skipped) else f"off: {chosen.reason}"
    return ""
