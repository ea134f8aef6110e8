"""Puts back the messages of workers that were lost without a word."""

from celery.utils.log import get_task_logger

from beat.periodic import PeriodicTask
from pipeline.celery import app
from pipeline.messaging.requeue import restore_lost
from pipeline.state.redis import broker_url, connect
from pipeline.state.worker_registry import Roster

logger = get_task_logger(__name__)


@app.task(base=PeriodicTask, name="beat.roll_call")  # type: ignore[untyped-decorator]
def roll_call() -> None:
    """Look once which workers are there, and put back what those have taken that are no more."""
    roster = Roster(connect())
    roster.look()
    if restored := restore_lost(broker_url(), roster):
        logger.warning("%d messages of lost workers are back in their queues.", restored)
