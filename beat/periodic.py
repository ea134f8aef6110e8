"""The base class of beat's tasks: one run at a time and one per interval, even with several beats."""

from typing import Any

from celery import Task

from pipeline.state.redis import connect

SOON = 0.8
"""Fraction of the interval after which a message counts as the next one, sent a little early."""


class PeriodicTask(Task):  # type: ignore[misc]  # celery has no types
    """A task without arguments that beat sends; its body must be idempotent.

    A lock in Redis prevents concurrent runs. A killed run blocks others until `time_limit`, when Celery would have
    killed it anyway. A message that arrives within its interval after the last run began does nothing: another beat
    sent it, or it was queued while no worker was running. Both rules use only the broker's time.
    """

    abstract = True
    typing = False
    ignore_result = True
    max_retries = 0
    send_events = False
    """Off, because beat's tasks would outnumber those of episodes in monitoring."""
    time_limit = 30
    """Maximum seconds of a run, and of its lock."""
    interval_s = 0.0
    """Seconds between two runs, set by `beat/schedule.py`; 0 means no limit."""

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Run the body unless another process is running it, or ran it within this interval."""
        client = connect()
        lock = client.lock(f"duet:clock:{self.name}", timeout=self.time_limit, blocking=False)
        if not lock.acquire():
            return None
        try:
            return self.run(*args, **kwargs) if self._is_due(client) else None
        finally:
            if lock.owned():
                lock.release()

    def _is_due(self, client: Any) -> bool:
        """Whether a run is due; a direct call, without a message, always is."""
        if self.request.called_directly or not self.interval_s:
            return True
        soon_ms = max(1, int(self.interval_s * SOON * 1000))
        return bool(client.set(f"duet:clock:{self.name}:began", 1, nx=True, px=soon_ms))
