"""Closes the batches whose client was lost before it had submitted everything, so that nobody waits for more."""

from celery.utils.log import get_task_logger

from beat.periodic import PeriodicTask
from pipeline.celery import app
from pipeline.state.batch_store import Batches
from pipeline.state.redis import connect

logger = get_task_logger(__name__)


@app.task(base=PeriodicTask, name="beat.batches")  # type: ignore[untyped-decorator]
def close_abandoned() -> None:
    """Close every batch that grows no more because its client is gone."""
    for batch in Batches(connect()).close_abandoned():
        logger.warning("The client of batch %s is gone; submitted again, the rest of it is done.", batch)
