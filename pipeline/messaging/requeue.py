"""Returns the unacknowledged messages of lost workers to their queues."""

from typing import Any

from pipeline.messaging.app import client_app
from pipeline.state.redis import connect, keeps_state
from pipeline.state.worker_registry import Worker, WorkerRegistry, unacked_key


def requeue_lost(url: str, registry: WorkerRegistry) -> int:
    """Put the messages of all lost workers back into their queues, and return how many there were."""
    restored = 0
    for worker in registry.lost():
        restored += requeue(url, worker)
        registry.deregister(worker)
    return restored


def requeue(url: str, worker: Worker) -> int:
    """Put the messages that a worker has taken back into their queues, and return how many there were.

    Where the broker is no Redis they are forgotten, and the sweeper sends again what nobody else has.
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
