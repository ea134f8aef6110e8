"""A notice that this machine is about to be taken away, and what the worker does then: it stops in time."""

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
"""Left of the time until the machine is gone, for putting back what did not stop."""


class SpotNoticeWatcher(threading.Thread):
    """Looks at all sources until one has a notice; then it has the worker stop as on SIGTERM."""

    def __init__(self, watched: Iterable[NoticeSource]) -> None:
        super().__init__(name="notice", daemon=True)
        self._sources = list(watched)
        self._troubles: dict[str, str] = {}
        self.gone_at = float("inf")
        """When the machine will be gone, on the monotonic clock."""

    def run(self) -> None:
        """Look until there is a notice, and stop this process."""
        while not self.has_notice():
            time.sleep(settings().notice_interval_s)
        logger.warning("The worker stops, and what it is at goes on elsewhere.")
        os.kill(os.getpid(), signal.SIGTERM)

    def has_notice(self) -> bool:
        """Look once."""
        for it in self._sources:
            if (left_s := self._seconds_left(it)) is not None:
                self.gone_at = time.monotonic() + left_s
                logger.warning("%s says that this machine is about to be taken away.", it.name)
                return True
        return False

    def _seconds_left(self, source: NoticeSource) -> float | None:
        """Ask a source; whatever is wrong with it is told once, and the next look is made all the same."""
        try:
            left_s = source.seconds_left()
        except Exception as error:
            trouble = f"{type(error).__name__}: {error}"
            if self._troubles.get(source.name) != trouble:
                logger.warning("%s cannot be looked at (%s); its notice will not be heard.", source.name, trouble)
            self._troubles[source.name] = trouble
            return None
        self._troubles.pop(source.name, None)
        return left_s


_watches: list[SpotNoticeWatcher] = []


@celeryd_init.connect  # type: ignore[untyped-decorator]
def begin(**_: Any) -> None:
    """Begin to look; where there is a notice already, take no work at all."""
    if watched := sources():
        watch = SpotNoticeWatcher(watched)
        if watch.has_notice():
            logger.warning("The worker does not start.")
            sys.exit(0)
        _watches.append(watch)
        watch.start()


def grace_s() -> float:
    """Return how long a leg may take from now to hand over: not longer than this machine is there."""
    gone_at = min((it.gone_at for it in _watches), default=float("inf"))
    return max(0.1, min(settings().stop_grace_s, gone_at - time.monotonic() - MARGIN_S))
