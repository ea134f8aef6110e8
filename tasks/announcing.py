"""Tells whoever watches how far a leg is: Celery's state of the task, and an event for Flower."""

from celery import Task

from pipeline.monitoring.flower.task_format import PROGRESS, PROGRESS_EVENT, progress_result


class Announcer:
    """Of one run of one leg. An event is sent for each whole percent, not for each report."""

    def __init__(self, task: Task) -> None:
        self._task = task
        self._percent = -1

    def __call__(self, progress: dict[str, float | str]) -> None:
        """Tell of progress: `done_s` and `total_s`, in seconds of audio, and the last text.

        Raises:
            kombu.exceptions.OperationalError, redis.RedisError: the broker does not answer.
        """
        self._task.update_state(state=PROGRESS, meta=progress)
        done_s, total_s = float(progress["done_s"]), float(progress["total_s"])
        percent = int(100 * done_s / total_s) if total_s else 0
        if percent != self._percent:
            self._percent = percent
            self._task.send_event(PROGRESS_EVENT, retry=False, result=progress_result(done_s, total_s))
