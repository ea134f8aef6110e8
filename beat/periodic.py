"""The base of beat's tasks: one run at a time and one in each interval, however many beats there are."""

from typing import Any

from celery import Task

from pipeline.state.redis import connect

SOON = 0.8
"""What comes after so much of the interval is the next one, a little early."""


class PeriodicTask(Task):  # type: ignore[misc]  # celery has no types
    """A task that the clock sends and that takes no arguments; its body must be safe to run again.

    A lock in Redis keeps a second run out for as long as one is at work. A run that was killed holds it until
    `time_limit`, after which Celery would have killed it anyway. What comes sooner than its interval after the last
    run began, such as what another clock has sent or what piled up while no worker was there, does nothing. Both are
    reckoned by the broker's time alone.
    """

    abstract = True
    typing = False
    ignore_result = True
    max_retries = 0
    send_events = False
    """Who watches looks for episodes; the clock's tasks would be most of what there is to see."""
    time_limit = 30
    """Seconds that a run may take, at most; the lock lasts as long."""
    interval_s = 0.0
    """Seconds between two runs, as `beat/schedule.py` has it; 0: as often as it is called."""

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Run the body unless another process runs it now, or has just run it for another message."""
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
        """Whether it is time for a run; whoever calls it without a message knows that it is."""
        if self.request.called_directly or not self.interval_s:
            return True
        soon_ms = max(1, int(self.interval_s * SOON * 1000))
        return bool(client.set(f"duet:clock:{self.name}:began", 1, nx=True, px=soon_ms))
