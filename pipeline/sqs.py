"""Amazon's SQS as the broker: it carries messages, cannot be looked into, and forgets nothing.

What can be seen in a Redis broker's lists is noted in the state's Redis here, task by task: which were sent and not
taken, and what each worker has taken (workers/noted.py). So the sweeper finds what is nowhere, and a lost worker's
tasks are sent again within a minute; their messages come back hours later, and find the work done.
"""

from functools import lru_cache
from typing import Any

from celery import Celery
from celery.signals import before_task_publish

from pipeline.broker import connect

WAITING = "duet:waiting"
"""The ids of the tasks that were sent and that no worker has taken."""
MOST_VISIBILITY_S = 12 * 3600
"""SQS's own limit."""
QUEUE_PREFIX = "duet-"


def without_redis(application: Celery) -> None:
    """Change what an application relies on to what there is in SQS: no priorities, events or remote control."""
    application.conf.update(
        broker_transport_options={
            "visibility_timeout": min(application.conf.visibility_timeout, MOST_VISIBILITY_S),
            "queue_name_prefix": QUEUE_PREFIX,
            "polling_interval": 1.0,
            "wait_time_seconds": 5,
        },
        worker_enable_remote_control=False,
        worker_send_task_events=False,
        task_send_sent_event=False,
    )
    before_task_publish.connect(_note_sent, weak=False, dispatch_uid="duet-sent")


def waiting_ids(client: Any) -> set[str]:
    """Return the ids of the tasks that were sent and not taken."""
    return set(client.smembers(WAITING))


def is_of_a_job(task_id: str) -> bool:
    """Whether it is `<job>.<leg>.<attempt>`; the clock's own tasks are sent again anyway."""
    return "." in task_id


def _note_sent(headers: dict[str, Any], **_: Any) -> None:
    if is_of_a_job(headers["id"]):
        _state().sadd(WAITING, headers["id"])


@lru_cache(maxsize=1)
def _state() -> Any:
    return connect()
