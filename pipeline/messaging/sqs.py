"""Amazon SQS as the broker, with notes in Redis because its queues cannot be inspected.

The notes replace the lists of a Redis broker: tasks that were published and not received, and tasks reserved by each
worker (workers/runtime/sqs_reserved.py). So the sweeper detects missing tasks, and a lost worker's tasks are published
again within a minute. SQS redelivers their messages hours later, as no-ops.

SQS silently drops messages that are not received for days. So a note expires, by the clock of the state's Redis, and
the sweeper publishes the task again. If the first message still exists, it is a no-op.
"""

from functools import lru_cache
from typing import Any

from celery import Celery
from celery.signals import after_task_publish, before_task_publish

from pipeline.state.redis import broker_url, connect, keeps_state

WAITING = "duet:waiting_until"
"""Sorted set of the ids of tasks that were published and not received; the score is the note's expiry."""
BELIEVED_S = 4 * 24 * 3600
"""Lifetime of a note: the default retention of SQS, since a queue may be older than Duet's setting."""
SENDING_S = 60
"""Lifetime of a note while its message is being published."""
RETENTION_S = 14 * 24 * 3600
"""Retention of the queues that Duet creates; the maximum of SQS."""
MOST_VISIBILITY_S = 12 * 3600
"""The maximum visibility timeout of SQS."""
QUEUE_PREFIX = "duet-"
POLLING_INTERVAL_S = 0.1
"""Interval at which a busy worker polls for the next message; it bounds the throughput of short tasks. The cost of an
empty queue is bounded by `wait_time_seconds`, the duration of SQS's long polling."""

# KEYS: the ids. ARGV: an id, seconds, 'XX' to update only or 'CH' to add too. The expiry never becomes earlier.
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
    """Configure an application for SQS, which has no priorities, events or remote control."""
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
    """Return the ids of the tasks that were published and not received."""
    return set(client.register_script(_BELIEVED)([WAITING]))


def is_to_be_noted(task_id: str) -> bool:
    """Return whether a task belongs to a job and the broker is SQS; the signals are those of all applications."""
    return "." in task_id and not keeps_state(broker_url())


def _note_sending(headers: dict[str, Any], **_: Any) -> None:
    """Add a short note before publishing, because a worker may receive the message before this process continues."""
    if is_to_be_noted(headers["id"]):
        _extend_note(headers["id"], SENDING_S, "CH")


def _note_sent(headers: dict[str, Any], **_: Any) -> None:
    """Extend the note after publishing, unless a worker has received the message already."""
    if is_to_be_noted(headers["id"]):
        _extend_note(headers["id"], BELIEVED_S, "XX")


def _extend_note(task_id: str, seconds: int, which: str) -> None:
    _state().register_script(_BELIEVE)([WAITING], [task_id, seconds, which])


@lru_cache(maxsize=1)
def _state() -> Any:
    return connect()
