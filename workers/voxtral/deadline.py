"""Deadline of an answer: cancellation of the job, or its time limit."""

from collections.abc import Callable
from time import monotonic

from pipeline.errors import CancelledError

_ASK_EVERY_S = 0.5


class Deadline:
    """A time limit with a cancellation check, checked before each token.

    `is_cancelled` may query a server, so it is called twice a second at most.
    """

    def __init__(self, budget_s: float, is_cancelled: Callable[[], bool] | None = None) -> None:
        self._ends_s = monotonic() + budget_s
        self._is_cancelled = is_cancelled
        self._asked_s = float("-inf")

    def is_expired(self) -> bool:
        """Return whether the time limit has passed.

        Raises:
            CancelledError: the job was cancelled.
        """
        now_s = monotonic()
        if self._is_cancelled is not None and now_s - self._asked_s >= _ASK_EVERY_S:
            self._asked_s = now_s
            if self._is_cancelled():
                raise CancelledError("The job was cancelled while Voxtral was answering.")
        return now_s >= self._ends_s
