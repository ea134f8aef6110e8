"""The schedule of Celery beat: the periodic tasks and their intervals. The cpu pool runs them.

To add one, define a task with `base=PeriodicTask` in `beat/maintenance.py` and add a line to `SCHEDULE`.
"""

from typing import Any

from celery import Task
from celery.signals import after_task_publish, beat_init
from celery.utils.log import get_task_logger

from beat.maintenance import (
    check_workers,
    close_abandoned_batches,
    promote_waiting_messages,
    queue_due_webhooks,
    retire_ended_jobs,
    sample_telemetry,
    scale_gpu_hosts,
    scan_inboxes,
)
from beat.sweeper import sweep
from pipeline.celery import app
from pipeline.errors import BrokerError
from pipeline.messaging.app import PRIORITIES
from pipeline.settings import settings
from pipeline.state import beat_heartbeat
from pipeline.state.redis import connect, readable_errors

logger = get_task_logger(__name__)
LONGEST_RETIRE_INTERVAL_S = 3600.0


def every(interval_s: float, task: Task) -> dict[str, Any]:
    """Return the schedule entry of a task that is sent at an interval, in seconds.

    Its priority is above all merges. Its messages have no expiry: that would be a time of this machine's clock, and a
    worker with a clock that is ahead would drop them all. Of the accumulated messages only one runs (`PeriodicTask`).
    """
    task.interval_s = interval_s
    options = {"queue": "cpu", "priority": PRIORITIES[0]}
    return {"task": task.name, "schedule": interval_s, "options": options}


SCHEDULE: dict[str, dict[str, Any]] = {
    "age": every(min(30.0, settings().priority_age_s / 4), promote_waiting_messages),
    "batches": every(3 * settings().sweep_interval_s, close_abandoned_batches),
    "inbox": every(settings().inbox_settle_s / 2, scan_inboxes),
    "retention": every(min(LONGEST_RETIRE_INTERVAL_S, settings().keep_jobs_s / 4), retire_ended_jobs),
    "roll_call": every(settings().sweep_interval_s, check_workers),
    "scale": every(30.0, scale_gpu_hosts),
    "sweep": every(3 * settings().sweep_interval_s, sweep),
    "telemetry": every(10.0, sample_telemetry),
    "webhooks": every(settings().sweep_interval_s, queue_due_webhooks),
}

app.conf.beat_schedule = SCHEDULE


@beat_init.connect  # type: ignore[untyped-decorator]
def send_quietly(**_: Any) -> None:
    """Disable sent events for beat's tasks: their end is not published, so they would appear to hang."""
    app.conf.task_send_sent_event = False


@beat_init.connect  # type: ignore[untyped-decorator]
def leave_marks(**_: Any) -> None:
    """Store beat's heartbeat now and whenever this process sends a task."""
    client = connect()

    def store_heartbeat(**_: Any) -> None:
        try:
            with readable_errors():
                beat_heartbeat.beat_now(client)
        except BrokerError as error:
            logger.warning("Beat's heartbeat cannot be stored now. %s", error)

    store_heartbeat()
    after_task_publish.connect(store_heartbeat, weak=False)
