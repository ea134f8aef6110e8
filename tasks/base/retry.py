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
    """Whether the task may be retried."""
    return bool(task.request.retries < settings().retry_limit)


def try_later(task: Task, error: TransientError) -> NoReturn:
    """Retry the task after a delay that doubles with every try.

    Raises:
        celery.exceptions.Retry: always, as Celery's control flow requires.
    """
    delay_s = min(settings().retry_backoff_s * 2**task.request.retries, MAX_BACKOFF_S)
    logger.warning("%s Trying again in %.0f s.", error, delay_s)
    JobStore().count(metric_events.step_retried(step_of(task.name), "transient"))
    raise task.retry(exc=error, countdown=delay_s, max_retries=settings().retry_limit) from None


def requeue(task: Task, **options: float) -> NoReturn:
    """Requeue the task without counting this run as a try.

    Args:
        task: the running task.
        options: `priority`, or `countdown` in seconds; all others stay unchanged.

    Raises:
        celery.exceptions.Ignore: the message was requeued; this run has no result.
        celery.exceptions.Reject: the broker did not accept the new message; the old one is requeued.
    """
    again = task.signature_from_request(task.request, retries=task.request.retries)
    try:
        again.set(**options).apply_async()
    except OperationalError as error:
        raise Reject(error, requeue=True) from None
    raise Ignore


def exit_for_restart() -> NoReturn:
    """Exit this process at once; Celery starts another one, and the message is redelivered."""
    logging.shutdown()
    os._exit(EX_TEMPFAIL)


@contextmanager
def reject_on_broker_outage() -> Iterator[None]:
    """Reject the task's message during a broker outage, so that it is redelivered; finished work is in storage.

    Raises:
        celery.exceptions.Reject: the broker has not answered for about a minute.
    """
    try:
        yield
    except BrokerError as error:
        raise Reject(error, requeue=True) from None
