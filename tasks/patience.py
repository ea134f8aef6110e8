"""How often and after what time a task is tried again that met a passing trouble."""

from typing import NoReturn

from celery import Task
from celery.utils.log import get_task_logger

from pipeline.errors import TransientError
from pipeline.settings import settings

logger = get_task_logger(__name__)
MAX_BACKOFF_S = 120.0


def has_tries_left(task: Task) -> bool:
    """Whether the task may be tried once more."""
    return bool(task.request.retries < settings().retry_limit)


def try_later(task: Task, error: TransientError) -> NoReturn:
    """Put the task back into its queue for a while that doubles with every try.

    Raises:
        celery.exceptions.Retry: always; it is how Celery is told.
    """
    delay_s = min(settings().retry_backoff_s * 2**task.request.retries, MAX_BACKOFF_S)
    logger.warning("%s Trying again in %.0f s.", error, delay_s)
    raise task.retry(exc=error, countdown=delay_s, max_retries=settings().retry_limit) from None
