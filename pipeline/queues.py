"""What lies in the broker's queues, seen from outside of any worker."""

import json

from pipeline.broker import connect
from pipeline.celery import PRIORITIES, QUEUES, client_app
from pipeline.ledger import Ledger
from pipeline.types import JobState

PRIORITY_SEPARATOR = "\x06\x16"
"""kombu keeps each priority of a queue in a list of its own (kombu/transport/redis.py)."""


def restore_lost(url: str, queue: str) -> int:
    """Put back the messages that a dead worker of a queue had taken, and return how many.

    Only for a queue without a living worker: kombu itself would give them back after the visibility
    timeout, which is hours.
    """
    restored = 0
    with client_app(url).connection_for_write() as connection:
        channel = connection.default_channel
        for tag, taken in channel.client.hgetall(channel.unacked_key).items():
            _, _, routing_key = json.loads(taken)
            if routing_key == queue:
                channel.qos.restore_by_tag(tag.decode() if isinstance(tag, bytes) else tag)
                restored += 1
    return restored


def drop_all(url: str) -> int:
    """Empty every queue, end the jobs that were under way as cancelled, and return how many those were."""
    with client_app(url).connection_for_write() as connection:
        channel = connection.default_channel
        lists = [f"{queue}{PRIORITY_SEPARATOR}{step}" if step else queue for queue in QUEUES for step in PRIORITIES]
        channel.client.delete(*lists, channel.unacked_key, channel.unacked_index_key)
    ledger = Ledger(connect(url))
    records = ledger.get_many(ledger.jobs())
    interrupted = [record for record in records if record and not record.state.is_final]
    for record in interrupted:
        ledger.advance(record.spec, JobState.CANCELLED, reason="The run it belonged to was interrupted.")
    return len(interrupted)
