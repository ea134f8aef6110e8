"""Progress of a leg, published as the task's Celery state and as an event for Flower."""

from celery import Task

from pipeline.monitoring.flower.task_format import PROGRESS, PROGRESS_EVENT, progress_result


class ProgressPublisher:
    """Publishes the progress of one run of a leg; sends an event only when the whole percentage changes."""

    def __init__(self, task: Task) -> None:
        self._task = task
        self._percent = -1

    def __call__(self, progress: dict[str, float | str]) -> None:
        """Publish `done_s` and `total_s`, in seconds of audio, and the text of the last segment.

        Raises:
            kombu.exceptions.OperationalError, redis.RedisError: the broker does not answer.
        """
        self._task.update_state(state=PROGRESS, meta=progress)
        done_s, total_s = float(progress["done_s"]), float(progress["total_s"])
        percent = int(100 * done_s / total_s) if total_s else 0
        if percent != self._percent:
            self._percent = percent
            self._task.send_event(PROGRESS_EVENT, retry=False, result=progress_result(done_s, total_s))
