"""Submission of a batch: sources are read in parallel and queued in pages, up to the limit of jobs in flight."""

import logging
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from contextlib import contextmanager, suppress
from dataclasses import replace
from threading import Event, Thread

import redis

from pipeline.client.in_flight_limiter import InFlightLimiter
from pipeline.client.submitter import PreparedEpisode, SubmitStatus, Submitter
from pipeline.errors import BrokerError
from pipeline.logs import as_duet_error
from pipeline.sources import Found, Rejected, Skipped
from pipeline.state.batch_store import OWNER_RENEW_S, BatchStore
from pipeline.types.batch_record import Entry
from pipeline.types.submitted import Submitted

logger = logging.getLogger(__name__)

THREADS = 4
"""Number of threads that read, download and upload; hashing releases the GIL."""
AHEAD = 64
"""Maximum number of sources read ahead of the queues, so that memory usage does not grow with the batch."""
PAGE = 50
PAGE_WAIT_S = 0.5
"""Maximum seconds that an episode waits for others of its page."""
POLL_S = 0.2


class BatchSubmission:
    """Submits all sources once, in the calling thread; `stop` may be called from another one."""

    def __init__(
        self,
        found: Iterable[Found],
        submitter: Submitter,
        batch: str,
        *,
        in_flight: int | None = None,
        on_progress: Callable[[Submitted], None] | None = None,
    ) -> None:
        self.count = Submitted()
        self._found = found
        self._submitter = submitter
        self._batch = batch
        self._batches = BatchStore(submitter.job_store.redis)
        self._limiter = InFlightLimiter(submitter.job_store, in_flight, PAGE)
        self._on_progress = on_progress
        self._stopped = Event()
        self._jobs: set[str] = set()

    def run(self) -> Submitted:
        """Submit all sources; a source that cannot be submitted does not stop the others.

        In any case the batch is closed at the end, so that its waiters expect no more jobs.

        Raises:
            BrokerError: the broker does not answer, so that the remaining sources cannot be submitted.
        """
        with self._ownership():
            self._submit_all()
        return self.count

    def _submit_all(self) -> None:
        page: list[PreparedEpisode] = []
        for outcomes in self._prepared():
            for outcome in outcomes:
                if isinstance(outcome, PreparedEpisode):
                    page.append(outcome)
                else:
                    self._record_left_out(outcome)
            if len(page) >= PAGE or not outcomes:
                self._start(page)
                page = []
        self._start(page)

    @contextmanager
    def _ownership(self) -> Iterator[None]:
        """Renew this client's ownership of the batch during the submission, then close the batch."""
        over = Event()
        owner = Thread(target=self._renew, args=(over,), daemon=True)
        owner.start()
        try:
            yield
        except BaseException:
            over.set()
            owner.join()
            with suppress(BrokerError):  # beat closes the batch when it is no longer renewed
                self._batches.close(self._batch, abandoned=True)
            raise
        over.set()
        owner.join()
        self._batches.close(self._batch, abandoned=self._stopped.is_set())

    def _renew(self, over: Event) -> None:
        while not over.wait(OWNER_RENEW_S):
            try:
                self._batches.renew(self._batch)
            except (BrokerError, redis.RedisError) as error:
                logger.info("The client of batch %s cannot renew its lease: %s", self._batch, error)

    def stop(self) -> None:
        """Make `run` return as soon as possible; queued messages stay."""
        self._stopped.set()

    @property
    def is_stopped(self) -> bool:
        """Whether `stop` was called or the batch was cancelled."""
        if not self._stopped.is_set() and self._batches.is_cancelled(self._batch):
            self._stopped.set()
        return self._stopped.is_set()

    def _prepared(self) -> Iterator[list[PreparedEpisode | Rejected | Skipped]]:
        """Yield prepared sources while the next ones are read; yield an empty list after PAGE_WAIT_S without any."""
        with _threads() as threads:
            ahead: dict[Future[PreparedEpisode | Rejected | Skipped], None] = {}
            for found in self._all_found():
                ahead[threads.submit(self._prepare, found)] = None
                while len(ahead) >= AHEAD and not self._stopped.is_set():
                    yield _pop_done(ahead)
                if self._stopped.is_set():
                    return
            while ahead and not self._stopped.is_set():
                yield _pop_done(ahead)

    def _all_found(self) -> Iterator[Found]:
        """Yield the sources; an error of the search itself becomes a rejection."""
        try:
            yield from self._found
        except Exception as error:
            yield Rejected("the search for episodes", str(as_duet_error(error, "What is to be submitted")))

    def _prepare(self, found: Found) -> PreparedEpisode | Rejected | Skipped:
        if isinstance(found, Rejected | Skipped):
            return found
        try:
            return self._submitter.prepare(found)
        except BrokerError:
            raise
        except Exception as error:
            return Rejected(found.name, str(as_duet_error(error, found.name)))

    def _start(self, page: list[PreparedEpisode]) -> None:
        while page and not self.is_stopped:
            room = self._limiter.room()
            if not room:
                self._stopped.wait(POLL_S)
                continue
            ready, page = page[:room], page[room:]
            started = self._enqueue([it for it in ready if self._is_first(it)])
            self._limiter.enter([it.spec.job for it in started if it.status is SubmitStatus.NEW])
            self._batches.add(self._batch, [_entry(it) for it in started])
            for it in started:
                self._count(it.status, it.spec.episode.size_bytes)

    def _enqueue(self, page: list[PreparedEpisode]) -> list[PreparedEpisode]:
        """Queue a page; after an error queue its episodes one by one, so that only the faulty ones are rejected."""
        try:
            return self._submitter.enqueue(page)
        except BrokerError:
            raise
        except Exception as error:
            if len(page) == 1:
                self._record_left_out(Rejected(page[0].source, str(as_duet_error(error, page[0].source))))
                return []
            logger.warning("A page of %d is sent one by one: %s", len(page), error)
            return [started for it in page for started in self._enqueue([it])]

    def _is_first(self, prepared: PreparedEpisode) -> bool:
        if prepared.spec.job not in self._jobs:
            self._jobs.add(prepared.spec.job)
            return True
        self._record_left_out(Skipped(prepared.source, "it is the same audio as another one of this batch"))
        return False

    def _record_left_out(self, outcome: Rejected | Skipped) -> None:
        if isinstance(outcome, Rejected):
            self._batches.reject(self._batch, [outcome])
            self.count = replace(self.count, rejected=self.count.rejected + 1)
        else:
            self._batches.skip(self._batch, [outcome])
            self.count = replace(self.count, skipped=self.count.skipped + 1)
        self._report()

    def _count(self, status: SubmitStatus, size_bytes: int) -> None:
        count = self.count
        self.count = replace(
            count,
            new=count.new + (status is SubmitStatus.NEW),
            done=count.done + (status is SubmitStatus.DONE),
            under_way=count.under_way + (status is SubmitStatus.UNDER_WAY),
            read_bytes=count.read_bytes + size_bytes,
        )
        self._report()

    def _report(self) -> None:
        if self._on_progress:
            self._on_progress(self.count)


def _pop_done(
    ahead: "dict[Future[PreparedEpisode | Rejected | Skipped], None]",
) -> list[PreparedEpisode | Rejected | Skipped]:
    """Wait up to PAGE_WAIT_S, then remove and return the completed results in the order of the sources."""
    done, _ = wait(ahead, PAGE_WAIT_S, FIRST_COMPLETED)
    taken = [it for it in ahead if it in done]
    for it in taken:
        del ahead[it]
    return [it.result() for it in taken]


def _entry(prepared: PreparedEpisode) -> Entry:
    return Entry(
        job=prepared.spec.job,
        source=prepared.source,
        uri=prepared.spec.uri,
        size_bytes=prepared.spec.episode.size_bytes,
        was_done=prepared.status is SubmitStatus.DONE,
    )


@contextmanager
def _threads() -> Iterator[ThreadPoolExecutor]:
    threads = ThreadPoolExecutor(THREADS, thread_name_prefix="duet-read")
    try:
        yield threads
    finally:
        threads.shutdown(wait=True, cancel_futures=True)
