"""Watcher of spot termination notices; stops the worker before the machine is gone."""

import logging
import os
import signal
import sys
import threading
import time
from collections.abc import Iterable
from typing import Any

from celery.signals import celeryd_init

from pipeline.settings import settings
from workers.runtime.ec2_metadata import NoticeSource, sources

logger = logging.getLogger(__name__)
MARGIN_S = 10.0
"""Seconds reserved before termination to requeue the legs that did not stop."""


class SpotNoticeWatcher(threading.Thread):
    """Polls all sources until one has a notice, then stops the worker as on SIGTERM."""

    def __init__(self, watched: Iterable[NoticeSource]) -> None:
        super().__init__(name="notice", daemon=True)
        self._sources = list(watched)
        self._troubles: dict[str, str] = {}
        self.gone_at = float("inf")
        """Time of termination on the monotonic clock, in seconds."""

    def run(self) -> None:
        """Poll until there is a notice, then stop this process."""
        while not self.has_notice():
            time.sleep(settings().notice_interval_s)
        logger.warning("The worker stops; another one continues its work.")
        os.kill(os.getpid(), signal.SIGTERM)

    def has_notice(self) -> bool:
        """Poll every source once, and return whether one has a notice."""
        for source in self._sources:
            if (left_s := self._seconds_left(source)) is not None:
                self.gone_at = time.monotonic() + left_s
                logger.warning("%s says that this machine is about to be taken away.", source.name)
                return True
        return False

    def _seconds_left(self, source: NoticeSource) -> float | None:
        """Return the seconds left by a source; each error is logged once and does not stop the polling."""
        try:
            left_s = source.seconds_left()
        except Exception as error:
            trouble = f"{type(error).__name__}: {error}"
            if self._troubles.get(source.name) != trouble:
                logger.warning("%s cannot be read (%s); a spot notice will be missed.", source.name, trouble)
            self._troubles[source.name] = trouble
            return None
        self._troubles.pop(source.name, None)
        return left_s


_watches: list[SpotNoticeWatcher] = []


@celeryd_init.connect  # type: ignore[untyped-decorator]
def begin(**_: Any) -> None:
    """Start the watcher; exit before receiving messages if there is a notice already."""
    if watched := sources():
        watch = SpotNoticeWatcher(watched)
        if watch.has_notice():
            logger.warning("The worker does not start.")
            sys.exit(0)
        _watches.append(watch)
        watch.start()


def grace_s() -> float:
    """Return the seconds a leg has to hand over, limited by the time until termination."""
    gone_at = min((watch.gone_at for watch in _watches), default=float("inf"))
    return max(0.1, min(settings().stop_grace_s, gone_at - time.monotonic() - MARGIN_S))
