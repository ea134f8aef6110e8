"""Several episodes submitted together, as the person who submitted them sees them."""

import asyncio
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass, field
from itertools import islice

from pipeline.client.batch_follower import LOOK_PAGE, BatchFollower
from pipeline.client.job import Job
from pipeline.state.batch_store import BatchStore
from pipeline.state.job_store import JobStore
from pipeline.types import FINAL_STATES, JobState
from pipeline.types.batch_record import BatchRecord, Entry
from pipeline.types.found import Rejected, Skipped

ASYNC_LOOK_S = 0.25
__all__ = ["Batch", "Progress", "Rejected", "Skipped"]


@dataclass(frozen=True)
class Progress:
    """Progress of a batch, in numbers of episodes."""

    states: dict[JobState, int] = field(default_factory=dict)
    """How many are in each state; those that could not be submitted count as failed."""
    done_before: int = 0
    """How many of them had their results before this batch."""
    is_submitted: bool = True
    """Whether all of them are known; False while a client still submits."""

    @property
    def total(self) -> int:
        """All episodes so far."""
        return sum(self.states.values())

    @property
    def ended(self) -> int:
        """Those to which nothing more will happen."""
        return sum(count for state, count in self.states.items() if state.is_final)

    @property
    def failed(self) -> int:
        """Those that failed or were cancelled."""
        return self.states.get(JobState.FAILED, 0) + self.states.get(JobState.CANCELLED, 0)

    @property
    def is_over(self) -> bool:
        """Whether all are known and all have ended."""
        return self.is_submitted and self.ended == self.total


class Batch:
    """The jobs of a folder, a prefix, a feed; cheap to hold, as everything is in Redis.

    Any process may make one again from its id: `Batch("261122-2201-3f9a")`, or `Batch("last")`.
    """

    def __init__(self, id: str = "last", job_store: JobStore | None = None) -> None:
        """Find a batch.

        Args:
            id: its id, the start of it, or `last` for the newest one.
            job store: one to share between many calls; by default each batch opens its own.

        Raises:
            BatchError: there is no such batch.
            BrokerError: there is no broker, or it does not answer.
        """
        self._job_store = job_store or JobStore()
        self._batches = BatchStore(self._job_store.redis)
        self._ended: dict[str, JobState] = {}
        self.id = self._batches.get(id).id

    def __repr__(self) -> str:
        return f"<Batch {self.id} of {len(self)} episodes>"

    def __len__(self) -> int:
        """Return the number of jobs."""
        return self._batches.count(self.id, "jobs")

    def __iter__(self) -> Iterator[Job]:
        """Yield its jobs in the order in which they were submitted, read page by page."""
        jobs = (entry.job for entry in self.entries())
        while page := list(islice(jobs, LOOK_PAGE)):
            yield from (Job(record.spec, self._job_store) for record in self._job_store.get_many(page) if record)

    @property
    def record(self) -> BatchRecord:
        """The batch's places, destination and times."""
        return self._batches.get(self.id)

    @property
    def rejected(self) -> tuple[Rejected, ...]:
        """Sources that could not be submitted, each with the reason."""
        return tuple(self._batches.rejected(self.id))

    @property
    def skipped(self) -> tuple[Skipped, ...]:
        """Sources that are no episodes, each with the reason."""
        return tuple(self._batches.skipped(self.id))

    def entries(self) -> Iterator[Entry]:
        """Yield the entries of the batch in their order."""
        return self._batches.entries(self.id)

    def as_completed(self, timeout: float | None = None) -> Iterator[Job]:
        """Yield each job once, as soon as it has ended, until all have.

        Args:
            timeout: seconds to wait for all of them; None waits as long as it takes.

        Raises:
            WaitTimeoutError: some have not ended in that time; those that have were yielded.
            BrokerError: the broker does not answer.
        """
        for entry, _ in BatchFollower(self.id, self._job_store).ends(timeout):
            yield Job.of(entry.job, self._job_store)

    async def aas_completed(self, timeout: float | None = None) -> AsyncIterator[Job]:
        """Do what `as_completed` does, in asyncio.

        Args:
            timeout: seconds to wait for all of them; None waits as long as it takes.

        Raises:
            WaitTimeoutError: some have not ended in that time; those that have were yielded.
            BrokerError: the broker does not answer.
        """
        loop = asyncio.get_running_loop()
        deadline = None if timeout is None else loop.time() + timeout
        follower = BatchFollower(self.id, self._job_store)
        while True:
            for entry, _ in await asyncio.to_thread(follower.look):
                yield await asyncio.to_thread(Job.of, entry.job, self._job_store)
            if await asyncio.to_thread(lambda: follower.is_complete):
                return
            if deadline is not None and loop.time() >= deadline:
                raise follower.too_late(timeout or 0.0)
            await asyncio.sleep(ASYNC_LOOK_S)

    def wait(self, timeout: float | None = None, on_progress: Callable[[Progress], None] | None = None) -> Progress:
        """Wait until all jobs have ended and return how they did.

        Args:
            timeout: seconds to wait; None waits as long as it takes.
            on_progress: called once at the beginning and then whenever a job has ended.

        Raises:
            WaitTimeoutError: some have not ended in that time.
            BrokerError: the broker does not answer.
        """
        tell = on_progress or (lambda _: None)
        tell(self.progress())
        told_at = time.monotonic()
        for _ in BatchFollower(self.id, self._job_store).ends(timeout):
            if time.monotonic() - told_at >= 0.5:
                tell(self.progress())
                told_at = time.monotonic()
        last = self.progress()
        tell(last)
        return last

    def progress(self) -> Progress:
        """Return the progress; jobs that had ended at the last call are not read again.

        Raises:
            BrokerError: the broker does not answer.
        """
        entries = list(self.entries())
        waiting = [entry.job for entry in entries if entry.job not in self._ended]
        states: Counter[JobState] = Counter()
        for first in range(0, len(waiting), LOOK_PAGE):
            page = waiting[first : first + LOOK_PAGE]
            for job, state in zip(page, self._job_store.states(page), strict=True):
                if state in FINAL_STATES:
                    self._ended[job] = state
                else:
                    states[state or JobState.CANCELLED] += 1
        states.update(self._ended.values())
        states[JobState.FAILED] += self._batches.count(self.id, "rejected")
        record = self.record
        return Progress(
            states={state: states[state] for state in JobState if states[state]},
            done_before=sum(entry.was_done for entry in entries),
            is_submitted=record.is_submitted,
        )

    def failures(self) -> Iterator[tuple[Job, str]]:
        """Yield the jobs that failed or were cancelled, each with its reason."""
        jobs = (entry.job for entry in self.entries())
        while page := list(islice(jobs, LOOK_PAGE)):
            for record in self._job_store.get_many(page):
                if record and record.state in (JobState.FAILED, JobState.CANCELLED):
                    yield Job(record.spec, self._job_store), record.reason

    def write_report(self) -> str:
        """Write `batch.html` and `batch.json` at the destination, as things are now, and return the page's URI.

        Raises:
            StorageError, TransientError: the destination refuses.
            BrokerError: the broker does not answer.
        """
        from pipeline.client.report import write_report

        return write_report(self.id, self._job_store)

    def cancel(self) -> int:
        """End every job that has not ended, whether it waits or is at work, and return how many those were.

        A client that still submits the batch stops.

        Raises:
            BrokerError: the broker does not answer.
        """
        self._batches.cancel(self.id)
        return sum(job.cancel() for job in self if not job.state.is_final)
