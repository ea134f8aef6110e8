"""Takes what is put into the folders and prefixes of DUET_INBOX."""

import time

from beat.periodic import PeriodicTask
from pipeline.celery import app
from pipeline.inbox import Inbox
from pipeline.ledger import Ledger
from pipeline.settings import settings


# Reading and uploading hours of audio takes its time; a second look waits for the first.
@app.task(base=PeriodicTask, name="beat.inbox", time_limit=3600)  # type: ignore[untyped-decorator]
def look_into_inboxes() -> None:
    """Submit what has stopped growing in every inbox."""
    if settings().inbox:
        ledger = Ledger()
        for place in settings().inbox:
            Inbox(place, settings().inbox_to, ledger).look(time.time(), settings().inbox_settle_s)
