"""Publishes a leg's progress: as Celery's state of the task, and as an event for Flower."""

from celery import Task

from pipeline.monitoring.flower.task_format import PROGRESS, PROGRESS_EVENT, progress_result


class ProgressPublisher:
    """Publishes the progress of one run of one leg; an event is sent for each whole percent, not for each report."""

    def __init__(self, task: Task) -> None:
        self._task = task
        self._percent = -1

    def __call__(self, progress: dict[str, float | str]) -> None:
        """Publish `done_s` and `total_s`, in seconds of audio, and the last text.

        Raises:
            kombu.exceptions.OperationalError, redis.RedisError: the broker does not answer.
        """
        self._task.update_state(state=PROGRESS, meta=progress)
        done_s, total_s = float(progress["done_s"]), float(progress["total_s"])
        percent = int(100 * done_s / total_s) if total_s else 0
        if percent != self._percent:
            self._percent = percent
            self._task.send_event(PROGRESS_EVENT, retry=False, result=progress_result(done_s, total_s))
