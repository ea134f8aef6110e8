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
from pipeline.types import FINAL_STATES, JobSpec, JobState, Leg, LegOutcome, Segment

RANKS = {JobState.SUBMITTED: 0, JobState.RUNNING: 1, JobState.TRANSCRIBED: 2} | dict.fromkeys(FINAL_STATES, 3)
INDEX = "duet:jobs"
SEGMENTS_KEPT_S = 3600
RECHECK_S = 2.0
"""A publication can be lost with its connection, so a waiting client looks for itself this often."""

# KEYS: job, index. ARGV: job, attempt to follow, now, spec. Only the caller who saw the newest attempt wins.
_BEGIN = """
local attempt = tonumber(redis.call('HGET', KEYS[1], 'attempt') or '0')
if attempt ~= tonumber(ARGV[2]) then return 0 end
redis.call('DEL', KEYS[1])
redis.call('HSET', KEYS[1], 'attempt', attempt + 1, 'state', 'submitted', 'rank', 0, 'submitted_at', ARGV[3],
           'spec', ARGV[4])
redis.call('ZADD', KEYS[2], ARGV[3], ARGV[1])
redis.call('PUBLISH', KEYS[1], 'submitted')
return 1
"""
# KEYS: job. ARGV: attempt, state ('' for none), rank, then field, value, ... A final state is never left.
_ADVANCE = """
if redis.call('HGET', KEYS[1], 'attempt') ~= ARGV[1] then return 0 end
local rank = tonumber(redis.call('HGET', KEYS[1], 'rank'))
if rank >= 3 then return 0 end
if ARGV[2] ~= '' and tonumber(ARGV[3]) <= rank then return 0 end
if #ARGV > 3 then redis.call('HSET', KEYS[1], unpack(ARGV, 4)) end
if ARGV[2] ~= '' then
  redis.call('HSET', KEYS[1], 'state', ARGV[2], 'rank', ARGV[3])
  redis.call('PUBLISH', KEYS[1], ARGV[2])
end
return 1
"""


class LegRecord(BaseModel):
    """How far one leg of a job is."""

    model_config = ConfigDict(frozen=True)

    started_at: float | None = None
    done_s: float = 0.0
    total_s: float = 0.0
    text: str = ""
    """The last line that was heard."""
    seen_at: float | None = None
    """When the leg was last seen at work."""
    outcome: LegOutcome | None = None


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

    def begin(self, spec: JobSpec) -> bool:
        """Open attempt `spec.attempt`; False when somebody else has begun it already."""
        with readable_errors():
            keys = [_key(spec.job), INDEX]
            return bool(self._begin(keys, [spec.job, spec.attempt - 1, time.time(), spec.model_dump_json()]))

    def advance(self, spec: JobSpec, state: JobState, **fields: object) -> bool:
        """Move a job forwards to a state; False when it is there or further already, or in a newer attempt."""
        return self._apply(spec, state.value, RANKS[state], fields)

    def note(self, spec: JobSpec, **fields: object) -> bool:
        """Write fields of a job that has not ended; False when it has."""
        return self._apply(spec, "", 0, fields)

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

    def jobs(self) -> list[str]:
        """Return the ids of all jobs, oldest first."""
        with readable_errors():
            return list(self.redis.zrange(INDEX, 0, -1))

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

    def _apply(self, spec: JobSpec, state: str, rank: int, fields: dict[str, object]) -> bool:
        flat = [str(part) for pair in fields.items() for part in pair]
        with readable_errors():
            return bool(self._advance([_key(spec.job)], [spec.attempt, state, rank, *flat]))


def _key(job: str) -> str:
    return f"duet:job:{job}"
