"""Follows the jobs of a batch to their ends, over one connection however many there are."""

import time
from collections.abc import Iterator

from pipeline.errors import WaitTimeoutError
from pipeline.state.batch_store import BatchStore
from pipeline.state.job_store import JOB_PREFIX, JobStore
from pipeline.state.redis import readable_errors
from pipeline.types import FINAL_STATES, JobState
from pipeline.types.batch_record import Entry

RECHECK_S = 5.0
"""A publication can be lost with its connection, so all jobs are looked at this often."""
LOOK_PAGE = 500


class BatchFollower:
    """Reads a batch's episodes as they are added, and follows each to its end."""

    def __init__(self, batch: str, job_store: JobStore) -> None:
        self.batch = batch
        self.job_store = job_store
        self.open: dict[str, Entry] = {}
        """The episodes that have not ended, as far as is known, by their jobs."""
        self.states: dict[str, JobState] = {}
        """Where those were at the last look."""
        self.read = 0
        """How many episodes were read so far."""
        self._batches = BatchStore(job_store.redis)

    def look(self) -> list[tuple[Entry, JobState]]:
        """Return the episodes that are found to have ended since the last look, each once."""
        for entry in self._batches.entries(self.batch, self.read):
            self.read += 1
            self.open[entry.job] = entry
        ended: list[tuple[Entry, JobState]] = []
        jobs = list(self.open)
        for first in range(0, len(jobs), LOOK_PAGE):
            page = jobs[first : first + LOOK_PAGE]
            for job, state in zip(page, self.job_store.states(page), strict=True):
                if state is None or state.is_final:
                    # A job that nobody knows any more has ended so long ago that it was forgotten.
                    ended.append((self.open.pop(job), state or JobState.CANCELLED))
                    self.states.pop(job, None)
                else:
                    self.states[job] = state
        return ended

    @property
    def is_complete(self) -> bool:
        """Whether every episode has ended and no more will come."""
        record = self._batches.get(self.batch)
        return record.is_submitted and not self.open and self.read == self._batches.count(self.batch, "jobs")

    def ends(self, timeout_s: float | None = None) -> Iterator[tuple[Entry, JobState]]:
        """Yield each episode when it has ended, until all have.

        Raises:
            WaitTimeoutError: some have not in the time given.
        """
        deadline = None if timeout_s is None else time.monotonic() + timeout_s
        with readable_errors(), self.job_store.redis.pubsub(ignore_subscribe_messages=True) as changes:
            changes.psubscribe(f"{JOB_PREFIX}*")
            while True:
                yield from self.look()
                if self.is_complete:
                    return
                yield from self._told(changes, deadline)
                if deadline is not None and time.monotonic() >= deadline:
                    raise self.too_late(timeout_s or 0.0)

    def too_late(self, timeout_s: float) -> WaitTimeoutError:
        """Return the sentence for a wait whose time is over."""
        some = f"{len(self.open)} of {self.read} episodes of batch {self.batch}"
        return WaitTimeoutError(f"{some} have not ended after {timeout_s:g} s.")

    def _told(self, changes: "object", deadline: float | None) -> Iterator[tuple[Entry, JobState]]:
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
            time.sleep(min(0.1, max(0.0, until - time.monotonic())))  # its client still submits
