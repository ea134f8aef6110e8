"""Takes what is put into the folders and prefixes of DUET_INBOX."""

import time

from celery.utils.log import get_task_logger

from beat.periodic import PeriodicTask
from pipeline.celery import app
from pipeline.client.inbox import Inbox
from pipeline.errors import BrokerError
from pipeline.logs import readable
from pipeline.settings import settings
from pipeline.state.job_store import Ledger

logger = get_task_logger(__name__)


# Reading and uploading hours of audio takes its time; a second look waits for the first.
@app.task(base=PeriodicTask, name="beat.inbox", time_limit=3600)  # type: ignore[untyped-decorator]
def look_into_inboxes() -> None:
    """Submit what has stopped growing in every inbox; one that cannot be looked into costs no other."""
    if settings().inbox:
        ledger = Ledger()
        for place in settings().inbox:
            try:
                Inbox(place, settings().inbox_to, ledger).look(time.time(), settings().inbox_settle_s)
            except BrokerError:
                raise
            except Exception as error:
                logger.warning("The inbox %s is looked into again later: %s", place, readable(error, place))
