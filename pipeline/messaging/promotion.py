"""Promotion of messages that have waited long, which prevents starvation.

A message gains one priority for each `DUET_PRIORITY_AGE_S` since its job was submitted, and is inserted into its
new list in the order of the sort keys. Promotion stops below the priority of single episodes, which would otherwise
wait for all of an old, large batch. After a hundred times that age a message goes first.
"""

from dataclasses import dataclass
from typing import Any

from pipeline.messaging.app import PRIORITIES, QUEUES
from pipeline.messaging.priorities import SINGLE
from pipeline.messaging.queues import lists_of, parsed, task_id
from pipeline.state.job_store import INDEX

STARVED_STEPS = 100
OLDEST = 100
"""Messages examined per list; later ones are examined once these have moved."""

# KEYS: from, to. ARGV: message, the message to insert it after ('' for none). The last of a list is served first.
_MOVE = """
if redis.call('LREM', KEYS[1], -1, ARGV[1]) == 0 then return 0 end
if ARGV[2] == '' then redis.call('LPUSH', KEYS[2], ARGV[1])
elseif redis.call('LINSERT', KEYS[2], 'AFTER', ARGV[2], ARGV[1]) <= 0 then redis.call('RPUSH', KEYS[2], ARGV[1]) end
return 1
"""


@dataclass(frozen=True)
class _Waiting:
    text: str
    since: float
    priority: int
    """Its priority when it was published."""

    def due(self, now: float, step_s: float) -> int:
        """Return its current priority."""
        steps = int((now - self.since) / step_s)
        return PRIORITIES[0] if steps >= STARVED_STEPS else max(self.priority - steps, min(self.priority, SINGLE + 1))

    def turn(self, step_s: float) -> float:
        """Return the sort key of a message; the smallest is served first."""
        return self.since + self.priority * step_s


def promote(client: Any, now: float, step_s: float) -> int:
    """Promote the messages that have waited long enough, and return their number.

    Args:
        client: the broker's Redis.
        now: seconds since the epoch.
        step_s: seconds of waiting per priority.
    """
    move = client.register_script(_MOVE)
    moved = 0
    for queue in QUEUES:
        lists = lists_of(queue)
        oldest = [_oldest(client, name) for name in lists]
        for priority in PRIORITIES[1:]:
            for message in reversed(oldest[priority]):
                due = message.due(now, step_s)
                if due < priority:
                    place = _place(oldest[due], message, step_s)
                    behind = oldest[due][place - 1].text if place else ""
                    oldest[due].insert(place, message)
                    moved += move([lists[priority], lists[due]], [message.text, behind])
    return moved


def _oldest(client: Any, name: str) -> list[_Waiting]:
    """Return the next `OLDEST` messages of jobs in a list, the very next one last."""
    found = [(text, *_named(parsed(text))) for text in client.lrange(name, -OLDEST, -1)]
    jobs = [job for _, job, _ in found if job]
    times = dict(zip(jobs, client.zmscore(INDEX, jobs), strict=True)) if jobs else {}
    return [_Waiting(text, since, priority) for text, job, priority in found if (since := times.get(job)) is not None]


def _named(message: Any) -> tuple[str, int]:
    """Return the job and priority of a message; the job of a malformed message, which a worker will drop, is empty."""
    name, properties = task_id(message), message.get("properties") if isinstance(message, dict) else None
    priority = properties.get("priority") if isinstance(properties, dict) else None
    return (name.partition(".")[0], priority) if name and type(priority) is int and priority in PRIORITIES else ("", 0)


def _place(oldest: list[_Waiting], message: _Waiting, step_s: float) -> int:
    """Return the index at which to insert a message, so that only messages with a smaller sort key precede it."""
    place = len(oldest)
    while place and oldest[place - 1].turn(step_s) <= message.turn(step_s):
        place -= 1
    return place
