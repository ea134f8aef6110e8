"""Job states: one Redis hash a job, changed only forwards.

Storage is the truth for results; the ledger is the truth for work in flight.
"""

import time
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import redis
from pydantic import BaseModel, ConfigDict

from pipeline.broker import connect, readable_errors
from pipeline.errors import WaitTimeoutError
from pipeline.types import FINAL_STATES, EpisodeResult, JobSpec, JobState, Leg, LegOutcome, Segment

RANKS = {JobState.SUBMITTED: 0, JobState.RUNNING: 1, JobState.TRANSCRIBED: 2} | dict.fromkeys(FINAL_STATES, 3)
INDEX = "duet:jobs"
OPEN = "duet:jobs:open"
"""The jobs that have not ended, so that a sweeper need not look at all there ever were."""
SEGMENTS_KEPT_S = 3600
RECHECK_S = 2.0
"""A publication can be lost with its connection, so a waiting client looks for itself this often."""

# KEYS: job, index, open. ARGV: job, attempt to follow, now, spec. Only the caller who saw the newest attempt wins.
_BEGIN = """
local attempt = tonumber(redis.call('HGET', KEYS[1], 'attempt') or '0')
if attempt ~= tonumber(ARGV[2]) then return 0 end
redis.call('DEL', KEYS[1])
redis.call('HSET', KEYS[1], 'attempt', attempt + 1, 'state', 'submitted', 'rank', 0, 'submitted_at', ARGV[3],
           'spec', ARGV[4])
redis.call('ZADD', KEYS[2], ARGV[3], ARGV[1])
redis.call('SADD', KEYS[3], ARGV[1])
redis.call('PUBLISH', KEYS[1], 'submitted')
return 1
"""
# KEYS: job, open. ARGV: attempt, state ('' for none), rank, job, then field, value, ...
# A final state is never left, and a job whose manifest is being written can no longer be cancelled.
_ADVANCE = """
if redis.call('HGET', KEYS[1], 'attempt') ~= ARGV[1] then return 0 end
local rank = tonumber(redis.call('HGET', KEYS[1], 'rank'))
if rank >= 3 then return 0 end
if ARGV[2] ~= '' and tonumber(ARGV[3]) <= rank then return 0 end
if ARGV[2] == 'cancelled' and redis.call('HGET', KEYS[1], 'sealed') then return 0 end
if #ARGV > 4 then redis.call('HSET', KEYS[1], unpack(ARGV, 5)) end
if tonumber(ARGV[3]) >= 3 then redis.call('SREM', KEYS[2], ARGV[4]) end
if ARGV[2] ~= '' then
  redis.call('HSET', KEYS[1], 'state', ARGV[2], 'rank', ARGV[3])
  redis.call('PUBLISH', KEYS[1], ARGV[2])
end
return 1
"""

# KEYS: job, index. ARGV: attempt, state, now, spec, job, then field, value, ...
_ADOPT = """
if redis.call('EXISTS', KEYS[1]) == 1 then return 0 end
redis.call('HSET', KEYS[1], 'attempt', ARGV[1], 'state', ARGV[2], 'rank', 3, 'submitted_at', ARGV[3],
           'spec', ARGV[4], unpack(ARGV, 6))
redis.call('ZADD', KEYS[2], ARGV[3], ARGV[5])
return 1
"""


class LegRecord(BaseModel):
    """How far one leg of a job is."""

    model_config = ConfigDict(frozen=True)

    started_at: float | None = None
    """When this attempt was first at it."""
    done_s: float = 0.0
    total_s: float = 0.0
    text: str = ""
    """The last line that was heard."""
    seen_at: float | None = None
    """When the leg was last seen at work."""
    fresh_starts: int = 0
    """How often it was begun in a fresh process because memory had run out."""
    outcome: LegOutcome | None = None
    losses: int = 0
    """How often in a row its process was lost without getting on."""
    pieces: int = 0
    """Checkpoints that were there at the last loss."""


class JobRecord(BaseModel):
    """What the ledger knows of a job; times are seconds since the epoch."""

    model_config = ConfigDict(frozen=True)

    spec: JobSpec
    state: JobState
    submitted_at: float
    sent_at: float | None = None
    transcribed_at: float | None = None
    ended_at: float | None = None
    reason: str = ""
    resends: int = 0
    """How often the sweeper had to send something of it again."""
    opinion_asked_at: float | None = None
    """When Voxtral was asked to hear once more what Whisper was unsure of; both legs have ended then."""
    legs: dict[Leg, LegRecord]

    @property
    def audio_s(self) -> float | None:
        """Length of the episode in seconds, as soon as a leg knows it."""
        ended = [leg.outcome.audio_s for leg in self.legs.values() if leg.outcome and leg.outcome.audio_s]
        return max(ended, default=None) or max((leg.total_s for leg in self.legs.values()), default=0.0) or None

    @classmethod
    def from_hash(cls, fields: dict[str, str]) -> "JobRecord":
        """Read the hash of a job."""
        legs: dict[str, dict[str, Any]] = {"whisper": {}, "voxtral": {}}
        own: dict[str, Any] = {}
        for name, value in fields.items():
            leg, _, field = name.partition(".")
            if not field:
                own[name] = JobSpec.from_json(value) if name == "spec" else value
            else:
                legs[leg][field] = LegOutcome.from_json(value) if field == "outcome" else value
        return cls.model_validate(own | {"legs": legs})


class Ledger:
    """Reads and moves the states of jobs."""

    def __init__(self, client: "redis.Redis | None" = None) -> None:
        # redis-py types every answer as bytes or str; ours are str (`decode_responses`).
        self.redis: Any = client or connect()
        self._begin = self.redis.register_script(_BEGIN)
        self._advance = self.redis.register_script(_ADVANCE)
        self._adopt = self.redis.register_script(_ADOPT)

    def begin(self, spec: JobSpec) -> bool:
        """Open attempt `spec.attempt`; False when somebody else has begun it already."""
        with readable_errors():
            keys = [_key(spec.job), INDEX, OPEN]
            return bool(self._begin(keys, [spec.job, spec.attempt - 1, time.time(), spec.model_dump_json()]))

    def begin_many(self, specs: Sequence[JobSpec]) -> list[bool]:
        """Do what `begin` does for each of several jobs, by one round trip."""
        with readable_errors(), self.redis.pipeline(transaction=False) as pipe:
            for spec in specs:
                keys = [_key(spec.job), INDEX, OPEN]
                self._begin(keys, [spec.job, spec.attempt - 1, time.time(), spec.model_dump_json()], client=pipe)
            return [bool(won) for won in pipe.execute()]

    def note_sent(self, specs: Sequence[JobSpec]) -> None:
        """Write down that several jobs are on the queues, by one round trip."""
        with readable_errors(), self.redis.pipeline(transaction=False) as pipe:
            for spec in specs:
                keys = [_key(spec.job), OPEN]
                self._advance(keys, [spec.attempt, "", 0, spec.job, "sent_at", time.time()], client=pipe)
            pipe.execute()

    def adopt(self, spec: JobSpec, result: EpisodeResult) -> None:
        """Write down a job that was done before this ledger's time, unless it knows of it already."""
        outcomes = [part for leg, it in result.legs.items() for part in (f"{leg}.outcome", it.model_dump_json())]
        fields = ["reason", result.reason, *outcomes]
        own = [spec.attempt, result.state.value, time.time(), spec.model_dump_json(), spec.job, *fields]
        with readable_errors():
            self._adopt([_key(spec.job), INDEX], own)

    def advance(self, spec: JobSpec, state: JobState, **fields: object) -> bool:
        """Move a job forwards to a state; False when it is there or further already, or in a newer attempt."""
        return self._apply(spec.job, spec.attempt, state.value, RANKS[state], fields)

    def fail(self, job: str, attempt: int, reason: str) -> bool:
        """End a job as failed of which only id and attempt are known; False when it has ended already."""
        state = JobState.FAILED
        return self._apply(job, attempt, state.value, RANKS[state], {"reason": reason, "ended_at": time.time()})

    def note(self, spec: JobSpec, **fields: object) -> bool:
        """Write fields of a job that has not ended; False when it has."""
        return self._apply(spec.job, spec.attempt, "", 0, fields)

    def note_leg(self, spec: JobSpec, leg: Leg, **fields: object) -> bool:
        """Write fields of one leg of a job that has not ended; False when it has."""
        return self.note(spec, **{f"{leg}.{name}": value for name, value in fields.items()})

    def get(self, job: str) -> JobRecord | None:
        """Return what is known of a job, or None."""
        with readable_errors():
            fields = self.redis.hgetall(_key(job))
        return JobRecord.from_hash(fields) if fields else None

    def get_many(self, jobs: Iterable[str]) -> list[JobRecord | None]:
        """Return what is known of each job, in their order, by one round trip."""
        with readable_errors(), self.redis.pipeline(transaction=False) as pipe:
            for job in jobs:
                pipe.hgetall(_key(job))
            return [JobRecord.from_hash(fields) if fields else None for fields in pipe.execute()]

    def states(self, jobs: Sequence[str]) -> list[JobState | None]:
        """Return the state of each job, in their order, by one round trip; None where it is not known."""
        with readable_errors(), self.redis.pipeline(transaction=False) as pipe:
            for job in jobs:
                pipe.hget(_key(job), "state")
            return [JobState(state) if state else None for state in pipe.execute()]

    def jobs(self) -> list[str]:
        """Return the ids of all jobs, oldest first."""
        with readable_errors():
            return list(self.redis.zrange(INDEX, 0, -1))

    def open_jobs(self) -> list[str]:
        """Return the ids of the jobs that have not ended."""
        with readable_errors():
            return list(self.redis.smembers(OPEN))

    def seal(self, spec: JobSpec) -> bool:
        """Keep a job that is about to end from being cancelled; False when it has ended already."""
        return self.note(spec, sealed=1)

    def add_segments(self, spec: JobSpec, segments: Sequence[Segment]) -> None:
        """Hand segments to whoever reads along; they are forgotten after a while."""
        key = f"{_key(spec.job)}:segments.{spec.attempt}"
        with readable_errors(), self.redis.pipeline() as pipe:
            pipe.rpush(key, *(segment.model_dump_json() for segment in segments))
            pipe.expire(key, SEGMENTS_KEPT_S)
            pipe.publish(_key(spec.job), "segments")
            pipe.execute()

    def segments(self, spec: JobSpec, first: int) -> list[Segment]:
        """Return the segments from the one with that index on that are there by now."""
        with readable_errors():
            found = self.redis.lrange(f"{_key(spec.job)}:segments.{spec.attempt}", first, -1)
        return [Segment.from_json(text) for text in found]

    def changes(self, job: str) -> Iterator[JobRecord | None]:
        """Yield a job's record now, and again whenever something may have changed."""
        with readable_errors(), self.redis.pubsub(ignore_subscribe_messages=True) as changes:
            changes.subscribe(_key(job))
            while True:
                yield self.get(job)
                changes.get_message(timeout=RECHECK_S)

    def wait(self, job: str, reached: JobState, timeout_s: float | None = None) -> JobRecord:
        """Return a job's record once it is in that state or further.

        Raises:
            WaitTimeoutError: it was not in the time given.
        """
        deadline = None if timeout_s is None else time.monotonic() + timeout_s
        with readable_errors(), self.redis.pubsub(ignore_subscribe_messages=True) as changes:
            changes.subscribe(_key(job))
            while True:
                record = self.get(job)
                if record and RANKS[record.state] >= RANKS[reached]:
                    return record
                left_s = RECHECK_S if deadline is None else min(RECHECK_S, deadline - time.monotonic())
                if left_s <= 0:
                    state = record.state.value if record else "unknown"
                    raise WaitTimeoutError(f"Job {job} is {state} after {timeout_s:g} s, not yet {reached.value}.")
                changes.get_message(timeout=left_s)

    def _apply(self, job: str, attempt: int, state: str, rank: int, fields: dict[str, object]) -> bool:
        flat = [str(part) for pair in fields.items() for part in pair]
        with readable_errors():
            return bool(self._advance([_key(job), OPEN], [attempt, state, rank, job, *flat]))


def _key(job: str) -> str:
    return f"duet:job:{job}"
