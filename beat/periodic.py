"""What every task of the clock has in common: one run at a time, however many clocks there are."""

from typing import Any

from celery import Task

from pipeline.broker import connect


class PeriodicTask(Task):  # type: ignore[misc]  # celery has no types
    """A task that the clock sends and that takes no arguments; its body must be safe to run again.

    A lock in Redis keeps a second run out for as long as one is at work. A run that was killed holds it until
    `time_limit`, after which Celery would have killed it anyway.
    """

    abstract = True
    typing = False
    ignore_result = True
    max_retries = 0
    send_events = False
    """Who watches looks for episodes; the clock's tasks would be most of what there is to see."""
    time_limit = 30
    """Seconds that a run may take, at most; the lock lasts as long."""

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Run the body unless another process runs it now."""
        lock = connect().lock(f"duet:clock:{self.name}", timeout=self.time_limit, blocking=False)
        if not lock.acquire():
            return None
        try:
            return self.run(*args, **kwargs)
        finally:
            if lock.owned():
                lock.release()
