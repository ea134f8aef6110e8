"""Promotion of messages that have waited long, so that no message starves.

A message goes up one priority for each `DUET_PRIORITY_AGE_S` since its job was submitted, and takes its place
among those that are there: before whoever would be due later. It stops below the single episodes, which would
otherwise wait for all of a large batch once that is old, and goes before everything when it has waited a
hundred times as long.
"""

from dataclasses import dataclass
from typing import Any

from pipeline.messaging.app import PRIORITIES, QUEUES
from pipeline.messaging.priorities import SINGLE
from pipeline.messaging.queues import lists_of, parsed, task_id
from pipeline.state.job_store import INDEX

STARVED_STEPS = 100
OLDEST = 100
"""Messages of each list that are looked at; those behind them have their turn when these have moved."""

# KEYS: from, to. ARGV: message, the one before whose turn it comes ('' for none). The last of a list is served first.
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
    asked: int
    """Its priority when it was sent."""

    def due(self, now: float, step_s: float) -> int:
        """Return the priority that it has by now."""
        steps = int((now - self.since) / step_s)
        return PRIORITIES[0] if steps >= STARVED_STEPS else max(self.asked - steps, min(self.asked, SINGLE + 1))

    def turn(self, step_s: float) -> float:
        """Return the sort key of a message; the smallest is served first."""
        return self.since + self.asked * step_s


def promote(client: Any, now: float, step_s: float) -> int:
    """Move up the messages that have waited long enough, and return how many those were.

    Args:
        client: the broker's Redis.
        now: seconds since the epoch.
        step_s: seconds of waiting that are worth one priority.
    """
    move = client.register_script(_MOVE)
    moved = 0
    for queue in QUEUES:
        lists = lists_of(queue)
        oldest = [_oldest(client, name) for name in lists]
        for priority in PRIORITIES[1:]:
            for it in reversed(oldest[priority]):
                due = it.due(now, step_s)
                if due < priority:
                    place = _place(oldest[due], it, step_s)
                    behind = oldest[due][place - 1].text if place else ""
                    oldest[due].insert(place, it)
                    moved += move([lists[priority], lists[due]], [it.text, behind])
    return moved


def _oldest(client: Any, name: str) -> list[_Waiting]:
    """Return the jobs' messages in a list that are served next, the very next one last."""
    found = [(text, *_named(parsed(text))) for text in client.lrange(name, -OLDEST, -1)]
    jobs = [job for _, job, _ in found if job]
    times = dict(zip(jobs, client.zmscore(INDEX, jobs), strict=True)) if jobs else {}
    return [_Waiting(text, since, asked) for text, job, asked in found if (since := times.get(job)) is not None]


def _named(message: Any) -> tuple[str, int]:
    """Return a message's job and priority; no job where it is none: its worker will drop it, and it waits as it is."""
    name, properties = task_id(message), message.get("properties") if isinstance(message, dict) else None
    asked = properties.get("priority") if isinstance(properties, dict) else None
    return (name.partition(".")[0], asked) if name and type(asked) is int and asked in PRIORITIES else ("", 0)


def _place(oldest: list[_Waiting], it: _Waiting, step_s: float) -> int:
    """Return the index at which a message is to be, so that only those come before it whose turn is sooner."""
    place = len(oldest)
    while place and oldest[place - 1].turn(step_s) <= it.turn(step_s):
        place -= 1
    return place
