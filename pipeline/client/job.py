"""The job of a submitted episode, for the submitter."""

import asyncio
import time
from collections.abc import Iterator
from functools import cached_property
from typing import Self

from pipeline.client.retry import begin_again
from pipeline.errors import CancelledError, JobFailedError
from pipeline.messaging.priorities import SINGLE
from pipeline.results.manifest import read_manifest, read_result, read_shown_transcript, taken
from pipeline.state.job_store import JobStore
from pipeline.storage import Storage, open_storage
from pipeline.types import EpisodeResult, JobSpec, JobState, Segment, Transcript
from pipeline.types.records import JobRecord


class Job:
    """A submitted episode; a small object that any process can recreate from its spec."""

    def __init__(self, spec: JobSpec, job_store: JobStore) -> None:
        self.spec = spec
        self._job_store = job_store

    def __repr__(self) -> str:
        return f"<Job {self.id} {self.spec.episode.slug}>"

    @classmethod
    def of(cls, job: str, job_store: JobStore | None = None) -> Self:
        """Return the job with an id.

        Raises:
            JobFailedError: the job is not in the job store.
            BrokerError: there is no broker, or it does not answer.
        """
        job_store = job_store or JobStore()
        record = job_store.get(job)
        if record is None:
            raise JobFailedError(f"There is no job {job!r} on this broker.")
        return cls(record.spec, job_store)

    @property
    def id(self) -> str:
        """The job's id: the same for the same episode, options and destination."""
        return self.spec.job

    @property
    def uri(self) -> str:
        """The URI of the results' folder."""
        return self.spec.uri

    @property
    def state(self) -> JobState:
        """The job's state."""
        record = self._job_store.get(self.id)
        if record is not None:
            return record.state
        result = read_result(self.spec, self._storage)
        return result.state if result else JobState.SUBMITTED

    def transcript(self, timeout: float | None = None) -> Transcript:
        """Wait for the fast leg and return its transcript.

        Args:
            timeout: seconds to wait; None means no limit.

        Raises:
            WaitTimeoutError: the fast leg has not ended in that time.
            CancelledError: the job was cancelled before there was a transcript.
            JobFailedError: the episode could not be transcribed; the message has the reason.
        """
        record = self._wait(JobState.TRANSCRIBED, timeout)
        outcome = record.legs["whisper"].outcome if record else None
        if outcome is None and (result := read_result(self.spec, self._storage)):
            outcome = result.legs["whisper"]
        if outcome is None or outcome.status != "ok":
            if record and record.state is JobState.CANCELLED:
                raise CancelledError(f"Job {self.id} was cancelled before there was a transcript.")
            raise JobFailedError(outcome.reason if outcome else (record.reason if record else "It left nothing."))
        return Transcript.from_json(read_shown_transcript(record.spec if record else self.spec, self._storage))

    def result(self, timeout: float | None = None) -> EpisodeResult:
        """Wait for the end of the job and return its merged result; check its `state` and `reason`.

        Args:
            timeout: seconds to wait; None means no limit.

        Raises:
            WaitTimeoutError: the job has not ended in that time.
            CancelledError: the job was cancelled.
            JobFailedError: the job has ended and its result cannot be read; the message has the reason.
        """
        record = self._wait(JobState.COMPLETED, timeout)
        if record and record.state is JobState.CANCELLED:
            raise CancelledError(f"Job {self.id} was cancelled.")
        result = read_result(record.spec if record else self.spec, self._storage)
        if result is None:
            public = read_manifest(self._storage)
            elsewhere = taken(self.spec, public) if public else f"There is no result in {self.uri}."
            raise JobFailedError((record and record.reason) or elsewhere)
        return result

    async def atranscript(self, timeout: float | None = None) -> Transcript:
        """Asynchronous `transcript`; thousands of concurrent waiters share a few connections.

        Args:
            timeout: seconds to wait; None means no limit.

        Raises:
            WaitTimeoutError, CancelledError, JobFailedError: as for `transcript`.
        """
        await self._await(JobState.TRANSCRIBED, timeout)
        return await asyncio.to_thread(self.transcript, 0.0)

    async def aresult(self, timeout: float | None = None) -> EpisodeResult:
        """Asynchronous `result`; thousands of concurrent waiters share a few connections.

        Args:
            timeout: seconds to wait; None means no limit.

        Raises:
            WaitTimeoutError, CancelledError, JobFailedError: as for `result`.
        """
        await self._await(JobState.COMPLETED, timeout)
        return await asyncio.to_thread(self.result, 0.0)

    def segments(self) -> Iterator[Segment]:
        """Yield the transcript's segments in order, each as soon as it is transcribed.

        Raises:
            CancelledError: the job was cancelled before there was a transcript.
            JobFailedError: the episode could not be transcribed; the message has the reason.
        """
        yielded = 0
        for record in self._job_store.changes(self.id):
            has_ended = record is None or record.has_reached(JobState.TRANSCRIBED)
            # Segments of an earlier attempt, or of long ago, are only in the transcript.
            new = self.transcript().segments[yielded:] if has_ended else self._job_store.segments(self.spec, yielded)
            yield from new
            yielded += len(new)
            if has_ended:
                return

    def cancel(self) -> bool:
        """Cancel the job, waiting or running; return False if it has ended already."""
        record = self._job_store.get(self.id)
        # The legs check the state before and while they run, so that no process with a loaded model has to be killed.
        return record is not None and self._job_store.advance(
            record.spec, JobState.CANCELLED, reason="It was cancelled.", ended_at=time.time()
        )

    def retry(self, priority: int = SINGLE) -> "Job":
        """Run the missing legs of a failed, partial or cancelled job, and return its new attempt.

        A leg that succeeded is not run again. A job that is open or complete stays unchanged.

        Args:
            priority: 0 (first) to 9 (last).

        Raises:
            AudioError: the audio is no longer at its address.
            BrokerError: the broker does not answer.
            JobFailedError: the job is not in the job store.
            StorageError: the destination rejects the request.
            TransientError: the destination cannot answer at the moment.
        """
        record = self._job_store.get(self.id)
        if record is None:
            raise JobFailedError(f"The broker does not know job {self.id}; submit the episode again.")
        return Job(begin_again(record, self._job_store, priority), self._job_store)

    @cached_property
    def _storage(self) -> Storage:
        return open_storage(self.uri)

    async def _await(self, reached: JobState, timeout_s: float | None) -> None:
        from pipeline.state.job_waiter import job_waiter

        if await asyncio.to_thread(self._was_done_before):
            return
        await job_waiter().wait(self.id, reached, timeout_s)

    def _was_done_before(self) -> bool:
        """Whether the job has a result but no record in this job store."""
        return self._job_store.get(self.id) is None and read_manifest(self._storage) is not None

    def _wait(self, reached: JobState, timeout_s: float | None) -> JobRecord | None:
        if self._was_done_before():
            return None
        return self._job_store.wait(self.id, reached, timeout_s)
