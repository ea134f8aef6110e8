"""Webhook subscriptions, and events that are due for delivery.

Both lie in Redis. The script that moves a job notes in the same step that somebody is to be told
(`pipeline/state/job_scripts.py`), so that nothing is forgotten with a process.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Literal

from pipeline.errors import AddressError
from pipeline.types import FINAL_STATES, JobState

DUE = "duet:webhooks:due"
"""Moves of jobs of which somebody is to be told: `<job> <attempt> <state>`."""
MOST_HOOKS = 10
"""Of one job, for both events together: each end of a job is one request to every one of them."""
Event = Literal["episode.transcribed", "episode.completed"]


@dataclass(frozen=True)
class Webhooks:
    """The addresses that are told of a job; they are no part of what is asked for, so not of the job's id."""

    on_transcribed: str | None = None
    """Told as soon as the transcript is there."""
    on_completed: str | None = None
    """Told when the job has ended, however it did."""

    @property
    def wanted(self) -> list[str]:
        """The entries as stored: `<event> <url>`."""
        pairs: list[tuple[Event, str | None]] = [
            ("episode.transcribed", self.on_transcribed),
            ("episode.completed", self.on_completed),
        ]
        return [f"{event} {url}" for event, url in pairs if url]


def hooks_key(job: str) -> str:
    """Return the Redis key of who is told of a job."""
    return f"duet:job:{job}:webhooks"


def event_of(state: JobState) -> Event | None:
    """Return the event that reaching a state is."""
    if state in FINAL_STATES:
        return "episode.completed"
    return "episode.transcribed" if state is JobState.TRANSCRIBED else None


# KEYS: webhooks of a job. ARGV: how many there may be, then `<event> <url>` ...
_REGISTER = """
local new = 0
for at = 2, #ARGV do new = new + 1 - redis.call('SISMEMBER', KEYS[1], ARGV[at]) end
if new > 0 and redis.call('SCARD', KEYS[1]) + new > tonumber(ARGV[1]) then return 0 end
redis.call('SADD', KEYS[1], unpack(ARGV, 2))
return 1
"""


def check_room(client: Any, job: str, hooks: Webhooks) -> None:
    """See that a job has room for more addresses to be told of it.

    Raises:
        AddressError: it has as many as a job may have.
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
        the jobs that have no room for them.
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
    """Note that somebody is to be told of the states that attempts of jobs have reached."""
    with client.pipeline() as pipe:
        for job, attempt, state in reached:
            if event_of(state):
                pipe.sadd(DUE, f"{job} {attempt} {state.value}")
        pipe.execute()


def urls_of(client: Any, job: str, event: Event) -> list[str]:
    """Return the addresses that are told of an event of a job."""
    found = (wanted.partition(" ") for wanted in client.smembers(hooks_key(job)))
    return sorted(url for name, _, url in found if name == event)
