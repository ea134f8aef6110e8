"""The follower of a batch: reports the end of each job, over a single connection."""

import time
from collections.abc import Iterator

from pipeline.errors import WaitTimeoutError
from pipeline.state.batch_store import BatchStore
from pipeline.state.job_store import JOB_PREFIX, JobStore
from pipeline.state.redis import readable_errors
from pipeline.types import FINAL_STATES, JobState
from pipeline.types.batch_record import Entry

RECHECK_S = 5.0
"""Seconds between checks of all jobs, as published changes are lost with a connection."""


class BatchFollower:
    """Reads the episodes of a batch as they are added, and reports the end of each."""

    def __init__(self, batch: str, job_store: JobStore) -> None:
        self.batch = batch
        self.job_store = job_store
        self.open: dict[str, Entry] = {}
        """The open episodes as of the last check, by job id."""
        self.states: dict[str, JobState] = {}
        """The states of open jobs as of the last check."""
        self.read = 0
        """Number of episodes read so far."""
        self._batches = BatchStore(job_store.redis)

    def poll(self) -> list[tuple[Entry, JobState]]:
        """Return the episodes that have ended since the last check, each once."""
        for entry in self._batches.entries(self.batch, self.read):
            self.read += 1
            self.open[entry.job] = entry
        ended: list[tuple[Entry, JobState]] = []
        jobs = list(self.open)
        for job, state in zip(jobs, self.job_store.states(jobs), strict=True):
            if state is None or state.is_final:
                # A job without a record ended so long ago that it was removed.
                ended.append((self.open.pop(job), state or JobState.CANCELLED))
                self.states.pop(job, None)
            else:
                self.states[job] = state
        return ended

    @property
    def is_complete(self) -> bool:
        """Whether the submission is complete and every episode has ended."""
        record = self._batches.get(self.batch)
        return record.is_submitted and not self.open and self.read == self._batches.count(self.batch, "jobs")

    def ends(self, timeout_s: float | None = None) -> Iterator[tuple[Entry, JobState]]:
        """Yield each episode when it ends, until all have ended.

        Raises:
            WaitTimeoutError: some have not ended in that time.
        """
        deadline = None if timeout_s is None else time.monotonic() + timeout_s
        with readable_errors(), self.job_store.redis.pubsub(ignore_subscribe_messages=True) as changes:
            changes.psubscribe(f"{JOB_PREFIX}*")
            while True:
                yield from self.poll()
                if self.is_complete:
                    return
                yield from self._published_ends(changes, deadline)
                if deadline is not None and time.monotonic() >= deadline:
                    raise self.too_late(timeout_s or 0.0)

    def too_late(self, timeout_s: float) -> WaitTimeoutError:
        """Return the error of a wait that has timed out."""
        some = f"{len(self.open)} of {self.read} episodes of batch {self.batch}"
        return WaitTimeoutError(f"{some} have not ended after {timeout_s:g} s.")

    def _published_ends(self, changes: "object", deadline: float | None) -> Iterator[tuple[Entry, JobState]]:
        """Yield published ends until the next check is due, or until every known episode has ended."""
        until = time.monotonic() + RECHECK_S
        until = until if deadline is None else min(until, deadline)
        while self.open and (left_s := until - time.monotonic()) > 0:
            message = changes.get_message(timeout=left_s)  # type: ignore[attr-defined]
            if message and message["data"] in FINAL_STATES:
                entry = self.open.pop(message["channel"].removeprefix(JOB_PREFIX), None)
                if entry:
                    yield entry, JobState(message["data"])
        if not self.open:
            time.sleep(min(0.1, max(0.0, until - time.monotonic())))  # the submitter is still running
