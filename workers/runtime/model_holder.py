"""The model of a process, unloaded after an idle period."""

import threading
import time
from collections.abc import Callable
from typing import Generic, TypeVar

T = TypeVar("T")


class ModelHolder(Generic[T]):
    """A value that is loaded on first use, and again after `drop`.

    A placeholder (`stands_in`) is returned while the value is unavailable. The value is requested again on the first
    use after `again_after_s`, because a request may take a minute and must not delay every task.
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
        """The loaded value, or None; never loads."""
        return self._held

    def get(self) -> T:
        """Return the value; loads it if it is missing or a stale placeholder."""
        if self._held is None or self._is_stale_placeholder(self._held):
            self._held = None
            self._held = self._load()
            self._loaded_at = self._clock()
        return self._held

    def drop(self) -> None:
        """Release the value."""
        self._held = None

    def _is_stale_placeholder(self, held: T) -> bool:
        return self._stands_in(held) and self._clock() - self._loaded_at >= self._again_after_s


class IdleTimer:
    """Calls a function after an idle period, never during work."""

    def __init__(self, after_s: float | None, then: Callable[[], None]) -> None:
        self._after_s = after_s
        self._then = then
        self._at_work = threading.Lock()
        self._timer: threading.Timer | None = None

    def begin(self) -> None:
        """Mark the start of work; blocks while the function runs."""
        self._at_work.acquire()
        if self._timer is not None:
            self._timer.cancel()

    def end(self) -> None:
        """Mark the end of work, and restart the idle period."""
        self._at_work.release()
        self.wait()

    def wait(self) -> None:
        """Start the idle period now."""
        if self._after_s is not None:
            self._timer = threading.Timer(self._after_s, self._run_if_idle)
            self._timer.daemon = True
            self._timer.start()

    def _run_if_idle(self) -> None:
        if self._at_work.acquire(blocking=False):
            try:
                self._then()
            finally:
                self._at_work.release()
