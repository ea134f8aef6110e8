"""Has what ended long ago leave Redis."""

import time

from celery.utils.log import get_task_logger

from beat.periodic import PeriodicTask
from pipeline.celery import app
from pipeline.client.retention.ended_jobs import retire
from pipeline.client.retention.job_files import clear_cache
from pipeline.client.retention.remote_copies import clear_forgotten
from pipeline.settings import settings
from pipeline.state.job_store import Ledger
from pipeline.state.redis import connect

logger = get_task_logger(__name__)
LONGEST_INTERVAL_S = 3600.0


@app.task(base=PeriodicTask, name="beat.retire", time_limit=300)  # type: ignore[untyped-decorator]
def retire_ended() -> None:
    """Forget jobs that ended more than DUET_KEEP_JOBS_S ago, with their batches and what is left of their work.

    This machine's cache is looked at, too; elsewhere that is done whenever something is fetched.
    """
    client = connect()
    clear_cache(time.time())
    clear_forgotten(client)
    done = retire(Ledger(client), settings().keep_jobs_s, time.time())
    if done.jobs or done.batches or done.inbox_entries:
        logger.info("Retired: %d jobs, %d batches, %d inbox entries.", done.jobs, done.batches, done.inbox_entries)
