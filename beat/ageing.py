"""Lets what has waited long go before what has just come."""

import time

from beat.periodic import PeriodicTask
from pipeline.celery import app
from pipeline.messaging.promotion import promote
from pipeline.settings import settings
from pipeline.state.redis import broker_url, connect, keeps_state


@app.task(base=PeriodicTask, name="beat.age")  # type: ignore[untyped-decorator]
def age() -> None:
    """Move up what has waited long enough; where there are no priorities, nothing."""
    if not keeps_state(broker_url()):
        return
    with connect() as client:
        promote(client, time.time(), settings().priority_age_s)
