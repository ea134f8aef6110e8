"""The clock: which task is sent how often. Celery beat sends them, the cpu pool runs them.

A new one is a module here with a task of `base=PeriodicTask`, and a line in `SCHEDULE`.
"""

from typing import Any

from celery import Task
from celery.signals import after_task_publish, beat_init
from celery.utils.log import get_task_logger

from beat.ageing import age
from beat.batches import close_abandoned
from beat.inbox import look_into_inboxes
from beat.retention import LONGEST_INTERVAL_S, retire_ended
from beat.roll_call import roll_call
from beat.scaling import scale
from beat.sweeper import sweep
from beat.telemetry import sample
from beat.webhooks import send
from pipeline.celery import app
from pipeline.errors import BrokerError
from pipeline.messaging.app import PRIORITIES
from pipeline.settings import settings
from pipeline.state import beat_heartbeat
from pipeline.state.redis import connect, readable_errors

logger = get_task_logger(__name__)


def every(interval_s: float, task: Task) -> dict[str, Any]:
    """Return the entry of a task that is sent every so many seconds.

    It goes before all merges. It is not sent with a time at which it expires: that would be by this machine's clock,
    and a worker whose clock is ahead would drop all of them. Of those that piled up one is run (`PeriodicTask`).
    """
    task.interval_s = interval_s
    options = {"queue": "cpu", "priority": PRIORITIES[0]}
    return {"task": task.name, "schedule": interval_s, "options": options}


SCHEDULE: dict[str, dict[str, Any]] = {
    "age": every(min(30.0, settings().priority_age_s / 4), age),
    "batches": every(3 * settings().sweep_interval_s, close_abandoned),
    "inbox": every(settings().inbox_settle_s / 2, look_into_inboxes),
    "retention": every(min(LONGEST_INTERVAL_S, settings().keep_jobs_s / 4), retire_ended),
    "roll_call": every(settings().sweep_interval_s, roll_call),
    "scale": every(30.0, scale),
    "sweep": every(3 * settings().sweep_interval_s, sweep),
    "telemetry": every(10.0, sample),
    "webhooks": every(settings().sweep_interval_s, send),
}

app.conf.beat_schedule = SCHEDULE


@beat_init.connect  # type: ignore[untyped-decorator]
def send_quietly(**_: Any) -> None:
    """Have the clock tell nobody that it sends: a task that is never seen to end would seem to hang."""
    app.conf.task_send_sent_event = False


@beat_init.connect  # type: ignore[untyped-decorator]
def leave_marks(**_: Any) -> None:
    """Have the clock, and no other process that sends, leave a mark now and with each thing that it has sent."""
    client = connect()

    def leave_mark(**_: Any) -> None:
        try:
            with readable_errors():
                beat_heartbeat.leave_mark(client)
        except BrokerError as error:
            logger.warning("The clock leaves no mark now. %s", error)

    leave_mark()
    after_task_publish.connect(leave_mark, weak=False)
