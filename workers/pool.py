"""The process of a pool: loads the model once and publishes the pool status."""

import gc
import logging
import sys
import time
from typing import Any

from celery.signals import task_postrun, task_prerun, worker_process_init

from pipeline.errors import DuetError
from pipeline.settings import settings
from pipeline.types.job import MODEL_LEGS
from pipeline.types.pools import LOADING, UNAVAILABLE
from workers.engine import Analyst, Diarizer, Skipped, Transcriber
from workers.pool_reporter import pool_reporter
from workers.runtime.model_holder import IdleTimer, ModelHolder
from workers.speakers import load_diarizer
from workers.voxtral import load_analyst

logger = logging.getLogger(__name__)
AGAIN_AFTER_S = 180.0
"""Seconds between attempts to load an unavailable analyst; a request to an unreachable hub may take a minute."""


def transcriber() -> Transcriber:
    """Return this process's transcriber; the first call loads it.

    Raises:
        EngineError: the model or the device is unavailable.
    """
    return _transcriber.get()


def analyst() -> Analyst | Skipped:
    """Return this process's analyst, or the reason for its absence; the first call loads it.

    If the reason is temporary, a later call tries to load it again, every `AGAIN_AFTER_S` at most.

    Raises:
        EngineError: the model or the device is required by the settings and unavailable.
    """
    return _analyst.get()


def diarizer() -> Diarizer | Skipped:
    """Return this process's diarizer, or the reason for its absence; the first call loads it.

    Raises:
        EngineError: the package with its network is not the expected one, or the device is unavailable.
    """
    return _diarizer.get()


@worker_process_init.connect  # type: ignore[untyped-decorator]
def warm_up(**_: Any) -> None:
    """Load the pool's model, and publish in Redis that it is ready or the reason of the failure."""
    own, began = pool_reporter(), time.monotonic()
    own.reset(status=LOADING, percent=0, began_at=time.time())
    try:
        _publish_loaded(_load(own.pool), began)
    except DuetError as error:
        # The process stays: it fails each job with this sentence instead of leaving it in the queue.
        logger.error("%s", error)
        own.update(status="failed", reason=error, percent=None)
    if own.pool in MODEL_LEGS:
        work = _TaskActivity(IdleTimer(settings().idle_unload_s, _unload))
        task_prerun.connect(work.begin, weak=False)
        task_postrun.connect(work.end, weak=False)


class _TaskActivity:
    """Publishes the start and end of each task, and unloads the model after an idle period."""

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
    _publish_loaded(loaded, began)
    return loaded


def _load_analyst() -> Analyst | Skipped:
    began = time.monotonic()
    loaded = load_analyst(settings())
    if isinstance(loaded, Skipped) and loaded.may_pass:
        logger.warning("%s The next episode tries again, every %g s at most.", loaded.reason, AGAIN_AFTER_S)
    _publish_loaded(loaded, began)
    return loaded


def _publish_loaded(loaded: Transcriber | Analyst | Skipped | None, began: float) -> None:
    fields: dict[str, object] = {"status": "ready", "model": "", "reason": None}
    if isinstance(loaded, Skipped):
        fields["model"] = f"off: {loaded.reason}"
        if loaded.may_pass:
            fields |= {"status": UNAVAILABLE, "reason": loaded.reason}
    elif loaded is not None:
        fields["model"] = loaded.model
    pool_reporter().update(**fields, since=time.time(), loading_s=round(time.monotonic() - began, 2), percent=None)


def _unload() -> None:
    """Release the model's memory; the next task loads the model again."""
    holders: tuple[ModelHolder[Any], ...] = (_transcriber, _analyst, _diarizer)
    if all(it.held is None or isinstance(it.held, Skipped) for it in holders):
        return
    for it in holders:
        it.drop()
    gc.collect()
    from workers.memory.reservation import release_cached_memory

    release_cached_memory()
    pool_reporter().update(status="idle")
    logger.info("Idle for %g s: the model's memory is released.", settings().idle_unload_s)


_transcriber = ModelHolder(_load_transcriber)
_diarizer = ModelHolder(lambda: load_diarizer(settings()))
_analyst: ModelHolder[Analyst | Skipped] = ModelHolder(
    _load_analyst,
    stands_in=lambda found: isinstance(found, Skipped) and found.may_pass,
    again_after_s=AGAIN_AFTER_S,
)
