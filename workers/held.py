"""A model that a process holds while there is work, and lets go of when there was none for a while."""

import threading
from collections.abc import Callable
from typing import Generic, TypeVar

T = TypeVar("T")


class Held(Generic[T]):
    """Something that is loaded when it is first asked for, and again after it was dropped."""

    def __init__(self, load: Callable[[], T]) -> None:
        self._load = load
        self._held: T | None = None

    @property
    def is_held(self) -> bool:
        """Whether it is there now."""
        return self._held is not None

    def get(self) -> T:
        """Return it, loaded now if it is not there."""
        if self._held is None:
            self._held = self._load()
        return self._held

    def drop(self) -> None:
        """Let go of it."""
        self._held = None


class Idle:
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
