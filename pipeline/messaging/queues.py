"""The contents of the broker's queues, seen from outside of any worker."""

import json
from collections.abc import Iterator
from typing import Any

from pipeline.messaging.app import PRIORITIES, QUEUES
from pipeline.messaging.sqs import waiting_ids
from pipeline.state.redis import broker_url, keeps_state
from pipeline.state.worker_registry import WorkerRegistry

PRIORITY_SEPARATOR = "\x06\x16"
"""kombu keeps each priority of a queue in a list of its own (kombu/transport/redis.py)."""

PAGE = 1000


def task_ids(client: Any) -> set[str]:
    """Return the ids of all tasks whose messages are in a queue or with a worker."""
    taken = (parsed(text) for key in WorkerRegistry(client).unacked_keys() for text in client.hvals(key))
    held = {name for it in taken if isinstance(it, list) and it and (name := task_id(it[0]))}
    return held | (_in_lists(client) if keeps_state(broker_url()) else waiting_ids(client))


def _in_lists(client: Any) -> set[str]:
    """Return the ids of the tasks that wait in a Redis."""
    texts = (text for queue in QUEUES for name in lists_of(queue) for text in _pages(client, name))
    return {name for it in map(parsed, texts) if (name := task_id(it))}


def lists_of(queue: str) -> list[str]:
    """Return the lists in which kombu keeps a queue, one for each priority."""
    return [f"{queue}{PRIORITY_SEPARATOR}{step}" if step else queue for step in PRIORITIES]


def parsed(text: str) -> Any:
    """Return an item of a queue as JSON; None where it is no JSON."""
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return None  # the worker that takes it drops it, and says so


def task_id(message: Any) -> str | None:
    """Return the id of a message's task; None where it has none."""
    headers = message.get("headers") if isinstance(message, dict) else None
    name = headers.get("id") if isinstance(headers, dict) else None
    return name if isinstance(name, str) else None


def _pages(client: Any, name: str) -> Iterator[str]:
    """Yield the items of a list, page by page from its newest end; new items shift it, and none is skipped."""
    first = 0
    while page := client.lrange(name, first, first + PAGE - 1):
        yield from page
        first += PAGE
