"""Sends the webhooks that are due and that nobody has sent."""

from beat.periodic import PeriodicTask
from pipeline.celery import app
from pipeline.state.job_store import Ledger
from pipeline.state.webhook_outbox import send_due


@app.task(base=PeriodicTask, name="beat.webhooks")  # type: ignore[untyped-decorator]
def send() -> None:
    """Send what a process that died, or a client that cancelled, has left."""
    send_due(Ledger())
