"""Batches of episodes submitted together, for the submitter."""

import asyncio
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass, field

from pipeline.client.batch_follower import BatchFollower
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
    """Number of episodes in each state; those that could not be submitted count as failed."""
    done_before: int = 0
    """Number of episodes that had results before this batch."""
    is_submitted: bool = True
    """Whether all episodes are known; False while the submitter is running."""

    @property
    def total(self) -> int:
        """Number of episodes so far."""
        return sum(self.states.values())

    @property
    def ended(self) -> int:
        """Number of episodes that have ended."""
        return sum(count for state, count in self.states.items() if state.is_final)

    @property
    def failed(self) -> int:
        """Number of episodes that failed or were cancelled."""
        return self.states.get(JobState.FAILED, 0) + self.states.get(JobState.CANCELLED, 0)

    @property
    def is_over(self) -> bool:
        """Whether all episodes are known and have ended."""
        return self.is_submitted and self.ended == self.total


class Batch:
    """The jobs of a folder, a prefix or a feed; a small object, as all data is in Redis.

    Any process can recreate it from its id: `Batch("261122-2201-3f9a")` or `Batch("last")`.
    """

    def __init__(self, id: str = "last", job_store: JobStore | None = None) -> None:
        """Look up a batch.

        Args:
            id: its id, the start of it, or `last` for the newest one.
            job_store: a job store to share between batches; by default each batch opens its own.

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
        """Yield the jobs in the order of submission, read page by page."""
        records = self._job_store.get_many(entry.job for entry in self.entries())
        yield from (Job(record.spec, self._job_store) for record in records if record)

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
        """Sources that are not episodes, each with the reason."""
        return tuple(self._batches.skipped(self.id))

    def entries(self) -> Iterator[Entry]:
        """Yield the entries of the batch in the order of submission."""
        return self._batches.entries(self.id)

    def as_completed(self, timeout: float | None = None) -> Iterator[Job]:
        """Yield each job once, as soon as it has ended, until all have.

        Args:
            timeout: seconds to wait for all of them; None means no limit.

        Raises:
            WaitTimeoutError: some jobs have not ended in that time; the ended ones were yielded.
            BrokerError: the broker does not answer.
        """
        for entry, _ in BatchFollower(self.id, self._job_store).ends(timeout):
            yield Job.of(entry.job, self._job_store)

    async def aas_completed(self, timeout: float | None = None) -> AsyncIterator[Job]:
        """Asynchronous `as_completed`.

        Args:
            timeout: seconds to wait for all of them; None means no limit.

        Raises:
            WaitTimeoutError: some jobs have not ended in that time; the ended ones were yielded.
            BrokerError: the broker does not answer.
        """
        loop = asyncio.get_running_loop()
        deadline = None if timeout is None else loop.time() + timeout
        follower = BatchFollower(self.id, self._job_store)
        while True:
            for entry, _ in await asyncio.to_thread(follower.poll):
                yield await asyncio.to_thread(Job.of, entry.job, self._job_store)
            if await asyncio.to_thread(lambda: follower.is_complete):
                return
            if deadline is not None and loop.time() >= deadline:
                raise follower.too_late(timeout or 0.0)
            await asyncio.sleep(ASYNC_LOOK_S)

    def wait(self, timeout: float | None = None, on_progress: Callable[[Progress], None] | None = None) -> Progress:
        """Wait until all jobs have ended and return the final progress.

        Args:
            timeout: seconds to wait; None means no limit.
            on_progress: called at the start and the end, and after jobs have ended, at most twice a second.

        Raises:
            WaitTimeoutError: some jobs have not ended in that time.
            BrokerError: the broker does not answer.
        """
        report = on_progress or (lambda _: None)
        report(self.progress())
        reported_at = time.monotonic()
        for _ in BatchFollower(self.id, self._job_store).ends(timeout):
            if time.monotonic() - reported_at >= 0.5:
                report(self.progress())
                reported_at = time.monotonic()
        last = self.progress()
        report(last)
        return last

    def progress(self) -> Progress:
        """Return the progress; jobs that had ended by the last call are not read again.

        Raises:
            BrokerError: the broker does not answer.
        """
        entries = list(self.entries())
        waiting = [entry.job for entry in entries if entry.job not in self._ended]
        states: Counter[JobState] = Counter()
        for job, state in zip(waiting, self._job_store.states(waiting), strict=True):
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
        for record in self._job_store.get_many(entry.job for entry in self.entries()):
            if record and record.state in (JobState.FAILED, JobState.CANCELLED):
                yield Job(record.spec, self._job_store), record.reason

    def write_report(self) -> str:
        """Write the present `batch.html` and `batch.json` to the destination, and return the page's URI.

        Raises:
            StorageError, TransientError: the destination rejects the request, or cannot answer at the moment.
            BrokerError: the broker does not answer.
        """
        from pipeline.client.report import write_report

        return write_report(self.id, self._job_store)

    def cancel(self) -> int:
        """Cancel every open job, waiting or running, and return their number.

        A client that is still submitting the batch stops.

        Raises:
            BrokerError: the broker does not answer.
        """
        self._batches.cancel(self.id)
        return sum(job.cancel() for job in self if not job.state.is_final)
