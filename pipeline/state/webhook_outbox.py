"""The outbox of webhooks: turns due events into one delivery for each address."""

import hashlib
import json
import logging
import time
from typing import Any

import redis

from pipeline.errors import BrokerError
from pipeline.state.job_store import JobStore
from pipeline.state.webhook_queue import Delivery, WebhookQueue
from pipeline.state.webhook_subscriptions import DUE, Event, event_of, urls_of
from pipeline.types import JobState
from pipeline.types.records import JobRecord
from pipeline.types.time_format import iso

logger = logging.getLogger(__name__)


def send_due(job_store: JobStore) -> int:
    """Queue the deliveries of all due events, and return the number of new deliveries.

    A due event is removed after its deliveries are queued, so a crash in between may repeat them under the same ids.

    Raises:
        BrokerError, redis.RedisError: the broker does not respond.
    """
    sent, queue = 0, WebhookQueue(job_store.redis)
    for due in job_store.redis.smembers(DUE):
        job, attempt, state = due.split(" ")
        for delivery in _deliveries(job_store, job, int(attempt), JobState(state)):
            sent += queue.add(delivery)
        job_store.redis.srem(DUE, due)
    return sent


def send_due_if_possible(job_store: JobStore) -> None:
    """Queue the deliveries of all due events. In a broker outage only log it: beat tries again later."""
    try:
        send_due(job_store)
    except (BrokerError, redis.RedisError) as error:
        logger.warning("%s Webhooks are sent later.", error)


def _deliveries(job_store: JobStore, job: str, attempt: int, state: JobState) -> list[Delivery]:
    event, record = event_of(state), job_store.get(job)
    if event is None or record is None or record.spec.attempt != attempt:
        return []  # a newer attempt has begun and has its own events
    body = _body(event, state, record)
    return [
        Delivery(id=_id(job, attempt, event, url), url=url, body=body) for url in urls_of(job_store.redis, job, event)
    ]


def _body(event: Event, state: JobState, record: JobRecord) -> str:
    spec = record.spec
    happened_at = (record.ended_at if state.is_final else record.transcribed_at) or time.time()
    data: dict[str, Any] = {
        "job": spec.job,
        "attempt": spec.attempt,
        "state": state.value,
        "reason": record.reason if state.is_final else "",
        "source": spec.episode.source,
        "uri": spec.uri,
        "audio_s": record.audio_s,
    }
    return json.dumps({"type": event, "timestamp": iso(happened_at), "data": data})


def _id(job: str, attempt: int, event: Event, url: str) -> str:
    whom = hashlib.sha256(url.encode()).hexdigest()[:8]
    return f"msg_{job}.{attempt}.{event.rpartition('.')[2]}.{whom}"
