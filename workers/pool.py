"""What happens in a pool's process: it loads its model once, says that it is ready, and when it works."""

import gc
import logging
import sys
import time
from typing import Any

from celery.signals import task_postrun, task_prerun, worker_process_init

from pipeline.errors import DuetError
from pipeline.pools import LOADING
from pipeline.settings import settings
from workers.engines import Analyst, Transcriber
from workers.held import Held, Idle
from workers.standing import standing
from workers.voxtral import Skipped, load_analyst

logger = logging.getLogger(__name__)


def transcriber() -> Transcriber:
    """Return this process's transcriber; the first call loads it.

    Raises:
        EngineError: the model or the device is not to be had.
    """
    return _transcriber.get()


def analyst() -> Analyst | Skipped:
    """Return this process's analyst, or why there is none; the first call loads it.

    Raises:
        EngineError: the model or the device is not to be had although it was asked for.
    """
    return _analyst.get()


@worker_process_init.connect  # type: ignore[untyped-decorator]
def warm_up(**_: Any) -> None:
    """Load the pool's model, and publish in Redis that it is ready or why it never will be."""
    own, began = standing(), time.monotonic()
    own.begin(status=LOADING, percent=0, began_at=time.time())
    try:
        _say_ready(_load(own.pool), began)
    except DuetError as error:
        # The process stays: it answers each episode with this sentence instead of leaving it in the queue.
        logger.error("%s", error)
        own.say(status="failed", reason=error, percent=None)
    if own.pool in ("whisper", "voxtral"):
        work = _Work(Idle(settings().idle_unload_s, _unload))
        task_prerun.connect(work.begin, weak=False)
        task_postrun.connect(work.end, weak=False)


class _Work:
    """Tells of each task, and lets the model go when there was none for a while."""

    def __init__(self, idle: Idle) -> None:
        self._idle = idle
        self._began = 0.0
        idle.wait()

    def begin(self, **_: Any) -> None:
        self._idle.begin()
        self._began = time.monotonic()
        standing().say(busy_since=time.time())

    def end(self, **_: Any) -> None:
        standing().worked(time.monotonic() - self._began)
        if "torch" in sys.modules:
            from workers.claim import peak_bytes

            standing().say(peak_bytes=peak_bytes())
        self._idle.end()


def _load(pool: str) -> str:
    if pool == "whisper":
        return transcriber().model
    if pool == "voxtral":
        chosen = analyst()
        return chosen.model if not isinstance(chosen, Skipped) else f"off: {chosen.reason}"
    return ""


def _load_transcriber() -> Transcriber:
    from workers.whisper.choice import load_transcriber

    began = time.monotonic()
    loaded = load_transcriber(settings())
    _say_ready(loaded.model, began)
    return loaded


def _load_analyst() -> Analyst | Skipped:
    began = time.monotonic()
    loaded = load_analyst(settings())
    if not isinstance(loaded, Skipped):
        _say_ready(loaded.model, began)
    return loaded


def _say_ready(model: str, began: float) -> None:
    loading_s = round(time.monotonic() - began, 2)
    standing().say(status="ready", model=model, since=time.time(), loading_s=loading_s, percent=None)


def _unload() -> None:
    """Give the model's memory back; the next episode loads it again."""
    if not _transcriber.is_held and (not _analyst.is_held or isinstance(_analyst.get(), Skipped)):
        return
    _transcriber.drop()
    _analyst.drop()
    gc.collect()
    from workers.claim import give_back

    give_back()
    standing().say(status="idle")
    logger.info("Nothing to do for %g s: the model's memory is given back.", settings().idle_unload_s)


_transcriber = Held(_load_transcriber)
_analyst = Held(_load_analyst)
