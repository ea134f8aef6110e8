"""A model that a process holds while there is work, and lets go of when there was none for a while."""

import threading
import time
from collections.abc import Callable
from typing import Generic, TypeVar

T = TypeVar("T")


class ModelHolder(Generic[T]):
    """Something that is loaded when it is first asked for, and again after it was dropped.

    What only stands in for it until it can be had is asked for again when it is next needed, after a while:
    asking may take a minute, which is not to be lost with every episode.
    """

    def __init__(
        self,
        load: Callable[[], T],
        *,
        stands_in: Callable[[T], bool] = lambda _: False,
        again_after_s: float = 0.0,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._load = load
        self._stands_in = stands_in
        self._again_after_s = again_after_s
        self._clock = clock
        self._held: T | None = None
        self._loaded_at = 0.0

    @property
    def held(self) -> T | None:
        """What is there now, without loading anything."""
        return self._held

    def get(self) -> T:
        """Return it, loaded now if it is not there or is to be asked for again."""
        if self._held is None or self._is_to_be_asked_for_again(self._held):
            self._held = None
            self._held = self._load()
            self._loaded_at = self._clock()
        return self._held

    def drop(self) -> None:
        """Let go of it."""
        self._held = None

    def _is_to_be_asked_for_again(self, held: T) -> bool:
        return self._stands_in(held) and self._clock() - self._loaded_at >= self._again_after_s


class IdleTimer:
    """Calls a function when nothing was done for a while; never while something is done."""

    def __init__(self, after_s: float | None, then: Callable[[], None]) -> None:
        self._after_s = after_s
        self._then = then
        self._at_work = threading.Lock()
        self._timer: threading.Timer | None = None

    def begin(self) -> None:
        """Note that work begins; waits for the function, should it run now."""
        self._at_work.acquire()
        if self._timer is not None:
            self._timer.cancel()

    def end(self) -> None:
        """Note that work has ended."""
        self._at_work.release()
        self.wait()

    def wait(self) -> None:
        """Begin to wait, from now on."""
        if self._after_s is not None:
            self._timer = threading.Timer(self._after_s, self._over)
            self._timer.daemon = True
            self._timer.start()

    def _over(self) -> None:
        if self._at_work.acquire(blocking=False):
            try:
                self._then()
            finally:
                self._at_work.release()
