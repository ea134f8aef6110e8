"""Amazon's SQS as the broker: it carries messages, cannot be looked into, and forgets nothing.

What can be seen in a Redis broker's lists is noted in the state's Redis here, task by task: which were sent and not
taken, and what each worker has taken (workers/runtime/sqs_reserved.py). So the sweeper finds what is nowhere, and a
lost worker's tasks are sent again within a minute; their messages come back hours later, and find the work done.

SQS drops a message that nobody takes for days, and does not tell. So a note holds for a time, by the state's own
clock; after it the sweeper sends the task again. Should the message be there all the same, it finds the work done.
"""

from functools import lru_cache
from typing import Any

from celery import Celery
from celery.signals import after_task_publish, before_task_publish

from pipeline.state.redis import broker_url, connect, keeps_state

WAITING = "duet:waiting_until"
"""The ids of the tasks that were sent and that no worker has taken, by the time until which that is believed."""
BELIEVED_S = 4 * 24 * 3600
"""For how long SQS keeps what nobody takes, unless it is told otherwise: a queue may be older than Duet's wish."""
SENDING_S = 60
"""How long it may take to send a message; what was not sent by then is not on its way."""
RETENTION_S = 14 * 24 * 3600
"""SQS's own limit, asked for where Duet makes the queue."""
MOST_VISIBILITY_S = 12 * 3600
"""SQS's own limit."""
QUEUE_PREFIX = "duet-"
POLLING_INTERVAL_S = 0.1
"""After how long a worker that was busy looks again whether it may take something. It bounds how many short tasks it
gets through; what an empty queue costs is bounded by `wait_time_seconds`, for which SQS itself holds the request."""

# KEYS: the ids. ARGV: an id, seconds, 'XX' for one that is there or 'CH' for any. A note never ends sooner by it.
_BELIEVE = """
local until_s = redis.call('TIME')[1] + ARGV[2]
local noted_s = tonumber(redis.call('ZSCORE', KEYS[1], ARGV[1]) or 0)
redis.call('ZADD', KEYS[1], ARGV[3], math.max(until_s, noted_s), ARGV[1])
"""
# KEYS: the ids.
_BELIEVED = """
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', redis.call('TIME')[1])
return redis.call('ZRANGE', KEYS[1], 0, -1)
"""


def without_redis(application: Celery) -> None:
    """Change what an application relies on to what there is in SQS: no priorities, events or remote control."""
    application.conf.update(
        broker_transport_options={
            "visibility_timeout": min(application.conf.visibility_timeout, MOST_VISIBILITY_S),
            "queue_name_prefix": QUEUE_PREFIX,
            "polling_interval": POLLING_INTERVAL_S,
            "wait_time_seconds": 5,
            "sqs-creation-attributes": {"MessageRetentionPeriod": str(RETENTION_S)},
        },
        worker_enable_remote_control=False,
        worker_send_task_events=False,
        task_send_sent_event=False,
    )
    before_task_publish.connect(_note_sending, weak=False, dispatch_uid="duet-sending")
    after_task_publish.connect(_note_sent, weak=False, dispatch_uid="duet-sent")


def waiting_ids(client: Any) -> set[str]:
    """Return the ids of the tasks that were sent and not taken."""
    return set(client.register_script(_BELIEVED)([WAITING]))


def is_to_be_noted(task_id: str) -> bool:
    """Whether a task belongs to a job and its broker does not show it; signals come from every application."""
    return "." in task_id and not keeps_state(broker_url())


def _note_sending(headers: dict[str, Any], **_: Any) -> None:
    """Note it before it is sent: a worker may take it before this process goes on."""
    if is_to_be_noted(headers["id"]):
        _believe(headers["id"], SENDING_S, "CH")


def _note_sent(headers: dict[str, Any], **_: Any) -> None:
    """Believe it for longer, unless a worker has taken it already."""
    if is_to_be_noted(headers["id"]):
        _believe(headers["id"], BELIEVED_S, "XX")


def _believe(task_id: str, seconds: int, which: str) -> None:
    _state().register_script(_BELIEVE)([WAITING], [task_id, seconds, which])


@lru_cache(maxsize=1)
def _state() -> Any:
    return connect()
