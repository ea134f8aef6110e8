"""The retry policy of tasks."""

import logging
import os
from collections.abc import Iterator
from contextlib import contextmanager
from os import EX_TEMPFAIL
from typing import NoReturn

from celery import Task
from celery.exceptions import Ignore, Reject
from celery.utils.log import get_task_logger
from kombu.exceptions import OperationalError

from pipeline.errors import BrokerError, TransientError
from pipeline.messaging.chord import step_of
from pipeline.settings import settings
from pipeline.state import metric_events
from pipeline.state.job_store import JobStore

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
    JobStore().count(metric_events.step_retried(step_of(task.name), "transient"))
    raise task.retry(exc=error, countdown=delay_s, max_retries=settings().retry_limit) from None


def requeue(task: Task, **options: float) -> NoReturn:
    """Put the task back into its queue as if this run had not been.

    Args:
        task: the task at work.
        options: `priority`, or `countdown` in seconds; the rest stays as it was.

    Raises:
        celery.exceptions.Ignore: always; it is how Celery is told that this run has no result.
        celery.exceptions.Reject: instead, when the broker does not take the message: it keeps the one it has.
    """
    again = task.signature_from_request(task.request, retries=task.request.retries)
    try:
        again.set(**options).apply_async()
    except OperationalError as error:
        raise Reject(error, requeue=True) from None
    raise Ignore


def exit_for_restart() -> NoReturn:
    """End this process at once; Celery starts another, and gives it the message again."""
    logging.shutdown()
    os._exit(EX_TEMPFAIL)


@contextmanager
def reject_on_broker_outage() -> Iterator[None]:
    """Reject the task's message during a broker outage, so that it comes again; finished work is in storage.

    Raises:
        celery.exceptions.Reject: the broker has not answered for about a minute.
    """
    try:
        yield
    except BrokerError as error:
        raise Reject(error, requeue=True) from None
