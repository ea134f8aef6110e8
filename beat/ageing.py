"""Lets what has waited long go before what has just come."""

import time

from beat.periodic import PeriodicTask
from pipeline.ageing import promote
from pipeline.broker import connect
from pipeline.celery import app
from pipeline.settings import settings


@app.task(base=PeriodicTask, name="beat.age")  # type: ignore[untyped-decorator]
def age() -> None:
    """Move up what has waited long enough."""
    with connect() as client:
        promote(client, time.time(), settings().priority_age_s)
