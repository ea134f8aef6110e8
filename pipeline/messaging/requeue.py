"""Requeue of the unacknowledged messages of lost workers."""

from typing import Any

from pipeline.messaging.app import client_app
from pipeline.state.redis import connect, keeps_state
from pipeline.state.worker_registry import Worker, WorkerRegistry, unacked_key


def requeue_lost(url: str, registry: WorkerRegistry) -> int:
    """Requeue the unacknowledged messages of all lost workers, and return their number."""
    restored = 0
    for worker in registry.lost():
        restored += requeue(url, worker)
        registry.deregister(worker)
    return restored


def requeue(url: str, worker: Worker) -> int:
    """Requeue the unacknowledged messages of a worker, and return their number.

    If the broker is not Redis, only their notes are deleted; the sweeper publishes missing tasks again.
    """
    if not keeps_state(url):
        client: Any = connect()
        count = int(client.hlen(unacked_key(worker.id)))
        client.delete(unacked_key(worker.id))
        return count
    with client_app(url).connection_for_write() as connection:
        channel = connection.default_channel
        channel.unacked_key = unacked_key(worker.id)
        channel.unacked_index_key = f"{unacked_key(worker.id)}:index"
        tags = [_text(tag) for tag in channel.client.hkeys(channel.unacked_key)]
        for tag in tags:
            channel.qos.restore_by_tag(tag)
    return len(tags)


def _text(tag: bytes | str) -> str:
    return tag.decode() if isinstance(tag, bytes) else tag
