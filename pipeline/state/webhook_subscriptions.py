"""Webhook subscriptions and due events, in Redis.

The script that moves a job also records the due event (`pipeline/state/job_scripts.py`), so that no event is lost
with a process.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Literal

from pipeline.errors import AddressError
from pipeline.types import FINAL_STATES, JobState

DUE = "duet:webhooks:due"
"""Set of due events: `<job> <attempt> <state>`."""
MOST_HOOKS = 10
"""Largest number of subscriptions of one job, for both events together: each event is one request to each of them."""
Event = Literal["episode.transcribed", "episode.completed"]


@dataclass(frozen=True)
class Webhooks:
    """The webhook addresses of a job; they are not options, so the job's id does not depend on them."""

    on_transcribed: str | None = None
    """Address of `episode.transcribed`, sent as soon as there is a transcript."""
    on_completed: str | None = None
    """Address of `episode.completed`, sent when the job has ended in any final state."""

    @property
    def wanted(self) -> list[str]:
        """The entries as stored: `<event> <url>`."""
        pairs: list[tuple[Event, str | None]] = [
            ("episode.transcribed", self.on_transcribed),
            ("episode.completed", self.on_completed),
        ]
        return [f"{event} {url}" for event, url in pairs if url]


def hooks_key(job: str) -> str:
    """Return the Redis key of a job's subscriptions."""
    return f"duet:job:{job}:webhooks"


def event_of(state: JobState) -> Event | None:
    """Return the event of reaching a state, or None."""
    if state in FINAL_STATES:
        return "episode.completed"
    return "episode.transcribed" if state is JobState.TRANSCRIBED else None


# KEYS: webhooks of a job. ARGV: their largest number, then `<event> <url>` ...
_REGISTER = """
local new = 0
for at = 2, #ARGV do new = new + 1 - redis.call('SISMEMBER', KEYS[1], ARGV[at]) end
if new > 0 and redis.call('SCARD', KEYS[1]) + new > tonumber(ARGV[1]) then return 0 end
redis.call('SADD', KEYS[1], unpack(ARGV, 2))
return 1
"""


def check_room(client: Any, job: str, hooks: Webhooks) -> None:
    """Check that a job can have more subscriptions.

    Raises:
        AddressError: it would have more than `MOST_HOOKS`.
    """
    if not hooks.wanted:
        return
    there = client.smembers(hooks_key(job))
    if len(there.union(hooks.wanted)) > MOST_HOOKS:
        raise AddressError(
            f"{len(there)} webhooks are told of the job {job} already, and {MOST_HOOKS} is the most; "
            "have one of them pass it on."
        )


def register(client: Any, jobs: Iterable[str], hooks: Webhooks) -> list[str]:
    """Subscribe addresses to events of the given jobs; existing subscriptions stay.

    Returns:
        the jobs that were not subscribed to because they have too many subscriptions.
    """
    jobs = list(jobs)
    if not hooks.wanted:
        return []
    script = client.register_script(_REGISTER)
    with client.pipeline(transaction=False) as pipe:
        for job in jobs:
            script([hooks_key(job)], [MOST_HOOKS, *hooks.wanted], client=pipe)
        return [job for job, has_room in zip(jobs, pipe.execute(), strict=True) if not has_room]


def note_due(client: Any, reached: Iterable[tuple[str, int, JobState]]) -> None:
    """Record due events for states that attempts of jobs have reached."""
    with client.pipeline() as pipe:
        for job, attempt, state in reached:
            if event_of(state):
                pipe.sadd(DUE, f"{job} {attempt} {state.value}")
        pipe.execute()


def urls_of(client: Any, job: str, event: Event) -> list[str]:
    """Return the addresses that are subscribed to an event of a job."""
    found = (wanted.partition(" ") for wanted in client.smembers(hooks_key(job)))
    return sorted(url for name, _, url in found if name == event)
