"""Samples how the device and the pools are used."""

from beat.periodic import PeriodicTask
from pipeline.celery import app
from pipeline.state import telemetry


@app.task(base=PeriodicTask, name="beat.telemetry")  # type: ignore[untyped-decorator]
def sample() -> None:
    """Take one sample of this machine's cards and of all pools."""
    telemetry.sample()
