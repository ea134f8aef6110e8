"""Moves of a job's waiting messages to the front or to the end of their queues, as somebody has asked for it."""

import json
from collections.abc import Iterator
from typing import Any, Literal

from pipeline.messaging.app import PRIORITIES, QUEUES
from pipeline.messaging.queues import lists_of, parsed, task_id
from pipeline.state.redis import readable_errors
from pipeline.types import JobSpec

Place = Literal["next", "later"]
PRIORITY_OF: dict[Place, int] = {"next": PRIORITIES[0], "later": PRIORITIES[-1]}
PAGE = 500

# KEYS: from, to. ARGV: message, the message in its place, the command that adds it. The last of a list is served first.
_MOVE = """
if redis.call('LREM', KEYS[1], -1, ARGV[1]) == 0 then return 0 end
redis.call(ARGV[3], KEYS[2], ARGV[2])
return 1
"""


def move(client: Any, spec: JobSpec, place: Place) -> int:
    """Move the waiting messages of a job's attempt, and return their number; those at work stay.

    Args:
        client: the broker's Redis.
        spec: the job.
        place: `next`, before all others, or `later`, after all that wait now.

    Raises:
        BrokerError: the broker does not answer.
    """
    script = client.register_script(_MOVE)
    priority = PRIORITY_OF[place]
    moved = 0
    with readable_errors():
        for queue in QUEUES:
            lists = lists_of(queue)
            for name in lists:
                for text in list(_of_job(client, name, spec)):
                    changed = _with_priority(text, priority)
                    moved += script([name, lists[priority]], [text, changed, "RPUSH" if place == "next" else "LPUSH"])
    return moved


def _of_job(client: Any, name: str, spec: JobSpec) -> Iterator[str]:
    own = f"{spec.job}."
    for first in range(0, client.llen(name), PAGE):
        for text in client.lrange(name, first, first + PAGE - 1):
            if own in text and (task_id(parsed(text)) or "").startswith(own):
                yield text


def _with_priority(text: str, priority: int) -> str:
    """Return a message with another priority, so that promotion does not move it back."""
    message = json.loads(text)
    message["properties"]["priority"] = priority
    return json.dumps(message)
