"""Contents of the broker's queues, read without a worker."""

import json
from collections.abc import Iterator
from typing import Any

from pipeline.messaging.app import PRIORITIES, QUEUES
from pipeline.messaging.sqs import waiting_ids
from pipeline.state.redis import broker_url, keeps_state, readable_errors
from pipeline.state.worker_registry import WorkerRegistry

PRIORITY_SEPARATOR = "\x06\x16"
"""Separator of queue and priority in list names: kombu has one list per priority (kombu/transport/redis.py)."""

PAGE = 1000


def task_ids(client: Any) -> set[str]:
    """Return the ids of all tasks with a message in a queue or reserved by a worker."""
    items = (parsed(text) for key in WorkerRegistry(client).unacked_keys() for text in client.hvals(key))
    reserved = {name for item in items if isinstance(item, list) and item and (name := task_id(item[0]))}
    return reserved | (_in_lists(client) if keeps_state(broker_url()) else waiting_ids(client))


def _in_lists(client: Any) -> set[str]:
    """Return the ids of the tasks that wait in the lists of a Redis broker."""
    texts = (text for queue in QUEUES for name in lists_of(queue) for text in _pages(client, name))
    return {name for it in map(parsed, texts) if (name := task_id(it))}


def lists_of(queue: str) -> list[str]:
    """Return the names of a queue's Redis lists, one per priority."""
    return [f"{queue}{PRIORITY_SEPARATOR}{step}" if step else queue for step in PRIORITIES]


def is_awaited(client: Any, queue: str) -> bool:
    """Return whether a queue has a message that is more urgent than those of the last priority.

    Raises:
        BrokerError: the broker does not answer.
    """
    with readable_errors(), client.pipeline(transaction=False) as pipe:
        for name in lists_of(queue)[:-1]:
            pipe.exists(name)
        return any(pipe.execute())


def parsed(text: str) -> Any:
    """Return an item of a queue parsed from JSON; None if it is not JSON."""
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return None  # the worker that receives it logs and drops it


def task_id(message: Any) -> str | None:
    """Return the task id of a message; None if it has none."""
    headers = message.get("headers") if isinstance(message, dict) else None
    name = headers.get("id") if isinstance(headers, dict) else None
    return name if isinstance(name, str) else None


def _pages(client: Any, name: str) -> Iterator[str]:
    """Yield the items of a list, page by page from its newest end, so that items added meanwhile cause no skips."""
    first = 0
    while page := client.lrange(name, first, first + PAGE - 1):
        yield from page
        first += PAGE
