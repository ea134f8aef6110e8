"""Record of the messages this worker has reserved, for brokers that do not show them (pipeline/messaging/sqs.py)."""

import json
import os
from functools import lru_cache
from typing import Any

from celery.signals import task_postrun, task_received

from pipeline.messaging.sqs import WAITING, is_to_be_noted
from pipeline.state.redis import connect
from pipeline.state.worker_registry import WORKER_VARIABLE, unacked_key


@task_received.connect  # type: ignore[untyped-decorator]
def note_reserved(request: Any, **_: Any) -> None:
    """Record a reserved message, in the format that kombu uses for unacknowledged messages."""
    if is_to_be_noted(request.id):
        with _state().pipeline() as pipe:
            pipe.hset(_key(), request.id, json.dumps([{"headers": {"id": request.id}}]))
            pipe.zrem(WAITING, request.id)
            pipe.execute()


@task_postrun.connect  # type: ignore[untyped-decorator]
def note_done(task_id: str, **_: Any) -> None:
    """Delete the record of a task that has ended or was sent again."""
    if is_to_be_noted(task_id):
        _state().hdel(_key(), task_id)


def _key() -> str:
    return unacked_key(os.environ.get(WORKER_VARIABLE, ""))


@lru_cache(maxsize=1)
def _state() -> Any:
    return connect(patient=True)
