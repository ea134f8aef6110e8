"""What happens in a pool's process: it loads its model once, says that it is ready, and when it works."""

import gc
import logging
import sys
import time
from typing import Any

from celery.signals import task_postrun, task_prerun, worker_process_init

from pipeline.errors import DuetError
from pipeline.settings import settings
from pipeline.types.pools import LOADING, UNAVAILABLE
from workers.engine import Analyst, Transcriber
from workers.pool_reporter import pool_reporter
from workers.runtime.model_holder import IdleTimer, ModelHolder
from workers.voxtral import Skipped, load_analyst

logger = logging.getLogger(__name__)
AGAIN_AFTER_S = 180.0
"""How soon an analyst is asked for again that could not be had; asking a hub that is away may take a minute."""


def transcriber() -> Transcriber:
    """Return this process's transcriber; the first call loads it.

    Raises:
        EngineError: the model or the device is not to be had.
    """
    return _transcriber.get()


def analyst() -> Analyst | Skipped:
    """Return this process's analyst, or why there is none; the first call loads it.

    What may pass is looked at again by a later call, every `AGAIN_AFTER_S` at most.

    Raises:
        EngineError: the model or the device is not to be had although it was asked for.
    """
    return _analyst.get()


@worker_process_init.connect  # type: ignore[untyped-decorator]
def warm_up(**_: Any) -> None:
    """Load the pool's model, and publish in Redis that it is ready or why it never will be."""
    own, began = pool_reporter(), time.monotonic()
    own.reset(status=LOADING, percent=0, began_at=time.time())
    try:
        _say_loaded(_load(own.pool), began)
    except DuetError as error:
        # The process stays: it answers each episode with this sentence instead of leaving it in the queue.
        logger.error("%s", error)
        own.update(status="failed", reason=error, percent=None)
    if own.pool in ("whisper", "voxtral"):
        work = _Work(IdleTimer(settings().idle_unload_s, _unload))
        task_prerun.connect(work.begin, weak=False)
        task_postrun.connect(work.end, weak=False)


class _Work:
    """Tells of each task, and lets the model go when there was none for a while."""

    def __init__(self, idle: IdleTimer) -> None:
        self._idle = idle
        self._began = 0.0
        idle.wait()

    def begin(self, **_: Any) -> None:
        self._idle.begin()
        self._began = time.monotonic()
        pool_reporter().update(busy_since=time.time())

    def end(self, **_: Any) -> None:
        pool_reporter().add_busy_time(time.monotonic() - self._began)
        if "torch" in sys.modules:
            from workers.memory.reservation import peak_bytes

            pool_reporter().update(peak_bytes=peak_bytes())
        self._idle.end()


def _load(pool: str) -> Transcriber | Analyst | Skipped | None:
    if pool == "whisper":
        return transcriber()
    return analyst() if pool == "voxtral" else None


def _load_transcriber() -> Transcriber:
    from workers.whisper.loading import load_transcriber

    began = time.monotonic()
    loaded = load_transcriber(settings())
    _say_loaded(loaded, began)
    return loaded


def _load_analyst() -> Analyst | Skipped:
    began = time.monotonic()
    loaded = load_analyst(settings())
    if isinstance(loaded, Skipped) and loaded.may_pass:
        logger.warning("%s It is tried again at an episode, every %g s at most.", loaded.reason, AGAIN_AFTER_S)
    _say_loaded(loaded, began)
    return loaded


def _say_loaded(loaded: Transcriber | Analyst | Skipped | None, began: float) -> None:
    said: dict[str, object] = {"status": "ready", "model": "", "reason": None}
    if isinstance(loaded, Skipped):
        said["model"] = f"off: {loaded.reason}"
        if loaded.may_pass:
            said |= {"status": UNAVAILABLE, "reason": loaded.reason}
    elif loaded is not None:
        said["model"] = loaded.model
    pool_reporter().update(**said, since=time.time(), loading_s=round(time.monotonic() - began, 2), percent=None)


def _unload() -> None:
    """Give the model's memory back; the next episode loads it again."""
    if _transcriber.held is None and (_analyst.held is None or isinstance(_analyst.held, Skipped)):
        return
    _transcriber.drop()
    _analyst.drop()
    gc.collect()
    from workers.memory.reservation import release_cached_memory

    release_cached_memory()
    pool_reporter().update(status="idle")
    logger.info("Nothing to do for %g s: the model's memory is given back.", settings().idle_unload_s)


_transcriber = ModelHolder(_load_transcriber)
_analyst: ModelHolder[Analyst | Skipped] = ModelHolder(
    _load_analyst,
    stands_in=lambda found: isinstance(found, Skipped) and found.may_pass,
    again_after_s=AGAIN_AFTER_S,
)
