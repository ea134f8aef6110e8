"""The job store: one Redis hash a job, whose state only moves forwards.

Storage is authoritative for results, the job store for work in flight.
"""

import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import islice
from typing import Any

import redis

from pipeline.state import metric_events
from pipeline.state.counters import KEY as COUNTED
from pipeline.state.counters import Counts
from pipeline.state.job_scripts import ADOPT, ADVANCE, BEGIN, REMOVE
from pipeline.state.redis import connect, readable_errors
from pipeline.state.webhook_subscriptions import DUE, hooks_key
from pipeline.types import EpisodeResult, JobSpec, JobState, Leg, Segment
from pipeline.types.records import RANKS, JobRecord, too_late

INDEX = "duet:jobs"
OPEN = "duet:jobs:open"
"""Set of the jobs that have not ended, so that the sweeper need not read every job."""
JOB_PREFIX = "duet:job:"
"""Prefix of the key of a job's hash, which is also the channel on which its changes are published."""
PAGE = 500
"""Number of jobs that are read in one round trip."""
SEGMENTS_KEPT_S = 3600
RECHECK_S = 2.0
"""Seconds after which a waiter reads the job again: a published change can be lost with its connection."""


class JobStore:
    """Reads and changes the states of jobs."""

    def __init__(self, client: "redis.Redis | None" = None) -> None:
        # redis-py types every response as bytes or str; these are str (`decode_responses`).
        self.redis: Any = client or connect()
        self._begin = self.redis.register_script(BEGIN)
        self._advance = self.redis.register_script(ADVANCE)
        self._adopt = self.redis.register_script(ADOPT)
        self._remove = self.redis.register_script(REMOVE)

    def begin(self, spec: JobSpec) -> bool:
        """Begin attempt `spec.attempt`. Return False if another client has begun it already."""
        (has_begun,) = self.begin_many([spec])
        return has_begun

    def begin_many(self, specs: Sequence[JobSpec]) -> list[bool]:
        """Begin an attempt of each job in one round trip, as `begin` does."""
        counts = _flat(metric_events.submitted())
        with readable_errors(), self.redis.pipeline(transaction=False) as pipe:
            for spec in specs:
                keys = [_key(spec.job), INDEX, OPEN, COUNTED]
                own = [spec.job, str(spec.attempt - 1), str(time.time()), spec.model_dump_json()]
                self._begin(keys, own + counts, client=pipe)
            return [bool(won) for won in pipe.execute()]

    def note_sent(self, specs: Sequence[JobSpec]) -> None:
        """Record in one round trip that the messages of several jobs have been sent."""
        with readable_errors(), self.redis.pipeline(transaction=False) as pipe:
            for spec in specs:
                own = _move(spec.job, spec.attempt, "", 0, {"sent_at": time.time()})
                self._advance(_keys(spec.job), own, client=pipe)
            pipe.execute()

    def adopt(self, spec: JobSpec, result: EpisodeResult) -> None:
        """Record a job that ended before this job store existed, unless it is recorded already."""
        outcomes = [part for leg, it in result.legs.items() for part in (f"{leg}.outcome", it.model_dump_json())]
        fields = ["reason", result.reason, *outcomes]
        own = [spec.attempt, result.state.value, time.time(), spec.model_dump_json(), spec.job, *fields]
        with readable_errors():
            self._adopt([_key(spec.job), INDEX], own)

    def advance(self, spec: JobSpec, state: JobState, counts: Counts | None = None, **fields: object) -> bool:
        """Move a job forwards to a state. Return False if it has reached it already or a newer attempt has begun.

        Args:
            spec: the job.
            state: the new state.
            counts: further counts to add if the job is moved; its end is counted anyway.
            fields: fields to write along with the state.
        """
        return self._move(spec.job, spec.attempt, state, fields, counts or {})

    def fail(self, job: str, attempt: int, reason: str, counts: Counts) -> bool:
        """End a job as failed by its id and attempt alone. Return False if it has ended already."""
        return self._move(job, attempt, JobState.FAILED, {"reason": reason, "ended_at": time.time()}, counts)

    def note(self, spec: JobSpec, /, **fields: object) -> bool:
        """Write fields of a job. Return False if it has ended already."""
        return self._apply(spec.job, _move(spec.job, spec.attempt, "", 0, fields))

    def note_leg(self, spec: JobSpec, leg: Leg, counts: Counts | None = None, /, **fields: object) -> bool:
        """Write fields of one leg of a job. Return False if the job has ended already.

        Args:
            spec: the job.
            leg: the leg.
            counts: counts to add if the first of the fields is new, so that a task that runs twice counts once.
            fields: the fields.
        """
        named = {f"{leg}.{name}": value for name, value in fields.items()}
        return self._apply(spec.job, _move(spec.job, spec.attempt, "", 0, named, next(iter(named)), counts))

    def get(self, job: str) -> JobRecord | None:
        """Return a job's record, or None."""
        with readable_errors():
            fields = self.redis.hgetall(_key(job))
        return JobRecord.from_hash(fields) if fields else None

    def get_many(self, jobs: Iterable[str]) -> Iterator[JobRecord | None]:
        """Yield the records of jobs, in their order; None for an unknown job."""
        for fields in self._read(jobs, "HGETALL"):
            yield JobRecord.from_hash(fields) if fields else None

    def fields(self, jobs: Iterable[str], names: Sequence[str]) -> Iterator[dict[str, str | None]]:
        """Yield the named fields of each job as stored, in the order of the jobs."""
        for values in self._read(jobs, "HMGET", *names):
            yield dict(zip(names, values, strict=True))

    def states(self, jobs: Iterable[str]) -> Iterator[JobState | None]:
        """Yield the states of jobs, in their order; None for an unknown job."""
        for state in self._read(jobs, "HGET", "state"):
            yield JobState(state) if state else None

    def jobs(self) -> list[str]:
        """Return the ids of all jobs, oldest first."""
        with readable_errors():
            return list(self.redis.zrange(INDEX, 0, -1))

    def open_jobs(self) -> list[str]:
        """Return the ids of the jobs that have not ended."""
        with readable_errors():
            return list(self.redis.smembers(OPEN))

    def submitted_before(self, before: float, first: int, count: int) -> list[str]:
        """Return up to `count` ids of jobs submitted by `before`, oldest first, starting at index `first`."""
        with readable_errors():
            return list(self.redis.zrangebyscore(INDEX, "-inf", before, start=first, num=count))

    def remove(self, jobs: Sequence[tuple[str, int]], ended_before: float, keys: Sequence[Sequence[str]]) -> list[bool]:
        """Remove jobs, given with attempt and other keys, that ended by then. Return False for each that stays."""
        with readable_errors(), self.redis.pipeline(transaction=False) as pipe:
            for (job, attempt), others in zip(jobs, keys, strict=True):
                segments = (f"{_key(job)}:segments.{number}" for number in range(1, attempt + 1))
                own = [_key(job), INDEX, OPEN, hooks_key(job), questions_key(job), *segments, *others]
                self._remove(own, [job, attempt, ended_before], client=pipe)
            return [bool(is_gone) for is_gone in pipe.execute()]

    def seal(self, spec: JobSpec) -> bool:
        """Protect a job that is about to end from cancellation. Return False if it has ended already."""
        return self.note(spec, sealed=1)

    def add_segments(self, spec: JobSpec, segments: Sequence[Segment]) -> None:
        """Publish segments to readers of the running job; they expire after `SEGMENTS_KEPT_S`."""
        key = f"{_key(spec.job)}:segments.{spec.attempt}"
        with readable_errors(), self.redis.pipeline() as pipe:
            pipe.rpush(key, *(segment.model_dump_json() for segment in segments))
            pipe.expire(key, SEGMENTS_KEPT_S)
            pipe.publish(_key(spec.job), "segments")
            pipe.execute()

    def segments(self, spec: JobSpec, first: int) -> list[Segment]:
        """Return the segments that exist so far, starting at index `first`."""
        with readable_errors():
            found = self.redis.lrange(f"{_key(spec.job)}:segments.{spec.attempt}", first, -1)
        return [Segment.from_json(text) for text in found]

    def changes(self, job: str, timeout_s: float | None = None) -> Iterator[JobRecord | None]:
        """Yield a job's record now and whenever it may have changed, until the time is over."""
        deadline = None if timeout_s is None else time.monotonic() + timeout_s
        with readable_errors(), self.redis.pubsub(ignore_subscribe_messages=True) as changes:
            changes.subscribe(_key(job))
            while True:
                yield self.get(job)
                left_s = RECHECK_S if deadline is None else min(RECHECK_S, deadline - time.monotonic())
                if left_s <= 0:
                    return
                changes.get_message(timeout=left_s)

    def wait(self, job: str, reached: JobState, timeout_s: float | None = None) -> JobRecord:
        """Return a job's record once it has reached a state or a later one.

        Raises:
            WaitTimeoutError: the job has not reached it in time.
        """
        record = None
        for record in self.changes(job, timeout_s):
            if record and record.has_reached(reached):
                return record
        raise too_late(job, record, reached, timeout_s)

    def count(self, counts: Counts) -> None:
        """Add counts of an event that no job records."""
        with readable_errors(), self.redis.pipeline() as pipe:
            for field, amount in counts.items():
                pipe.hincrbyfloat(COUNTED, field, amount)
            pipe.execute()

    def _read(self, jobs: Iterable[str], command: str, *names: str) -> Iterator[Any]:
        """Yield the answer to a Redis command for each job, read in pages of `PAGE` jobs."""
        waiting = iter(jobs)
        while page := list(islice(waiting, PAGE)):
            with readable_errors(), self.redis.pipeline(transaction=False) as pipe:
                for job in page:
                    pipe.execute_command(command, _key(job), *names)
                answers = pipe.execute()
            yield from answers

    def _move(self, job: str, attempt: int, state: JobState, fields: dict[str, object], counts: Counts) -> bool:
        if state.is_final:
            counts = counts | metric_events.episode_ended(state)
        return self._apply(job, _move(job, attempt, state.value, RANKS[state], fields, counts=counts))

    def _apply(self, job: str, move: list[str | int]) -> bool:
        with readable_errors():
            return bool(self._advance(_keys(job), move))


def _move(
    job: str,
    attempt: int,
    state: str,
    rank: int,
    fields: dict[str, object],
    new_field: str = "",
    counts: Counts | None = None,
) -> list[str | int]:
    """Return the arguments of the script that moves a job."""
    counted = _flat(counts or {})
    return [attempt, state, rank, job, new_field, 6 + len(counted), *counted, *_flat(fields)]


def _flat(pairs: Mapping[str, object]) -> list[str]:
    return [str(part) for pair in pairs.items() for part in pair]


def _keys(job: str) -> list[str]:
    return [_key(job), OPEN, COUNTED, hooks_key(job), DUE]


def questions_key(job: str) -> str:
    """Return the key of the questions about a job."""
    return f"{_key(job)}:questions"


def _key(job: str) -> str:
    return f"{JOB_PREFIX}{job}"
