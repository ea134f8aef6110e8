"""Changes that users make to the public result of an episode that has ended."""

import time
from collections.abc import Iterator
from contextlib import contextmanager

from pipeline.errors import JobAtWorkError, JobFailedError
from pipeline.results.manifest import MANIFEST, read_manifest, taken, write_manifest
from pipeline.results.publication import write_files
from pipeline.state.job_store import JobStore
from pipeline.state.lease import VisitorLease
from pipeline.state.redis import readable_errors
from pipeline.state.renamed import note_renamed
from pipeline.storage import Storage, open_storage
from pipeline.storage.allowed_roots import check_destination
from pipeline.types import EpisodeResult, JobSpec

PATIENCE_S = 10.0
"""Seconds to wait for a job that writes to the same folder."""
POLL_S = 0.2


class PublishedResult:
    """The public result of an episode, which nobody else changes meanwhile."""

    def __init__(self, result: EpisodeResult, storage: Storage, lease: VisitorLease, job_store: JobStore) -> None:
        self.result, self.storage = result, storage
        self._lease, self._job_store = lease, job_store

    def check_held(self) -> None:
        """Check that nobody else began to write to the folder.

        Raises:
            JobAtWorkError: somebody did.
        """
        if not self._lease.is_held():
            raise JobAtWorkError(f"Another process began to write to {self.storage.uri} meanwhile; try again.")

    def replace(self, result: EpisodeResult) -> EpisodeResult:
        """Write all files of the changed result again, the manifest last, and return it with their checksums.

        Raises:
            JobAtWorkError: another process began to write to the folder.
        """
        written = result.model_copy(update={"files": result.files | write_files(result, self.storage)})
        self.check_held()
        write_manifest(written, self.storage)
        note_renamed(self._job_store.redis, written.job)
        return written


@contextmanager
def open_published(uri: str, job_store: JobStore, spec: JobSpec | None = None) -> Iterator[PublishedResult]:
    """Provide the public result of an episode for a change, under the lease on its folder.

    Args:
        uri: URI of the episode's folder.
        job_store: the job store.
        spec: the job whose result it must be; None: any.

    Raises:
        BrokerError: the broker does not answer.
        JobAtWorkError: the job has not ended, or another writes to the folder.
        JobFailedError: the folder has no readable result, or another job's.
        StorageError, TransientError: storage rejects the request, or cannot answer at the moment.
    """
    check_destination(uri)
    storage = open_storage(uri)
    if spec:
        _check_ended(spec.job, job_store)
    with _sole_writer(uri, job_store) as lease:
        result = read_published(storage, spec)
        _check_ended(result.job, job_store)
        yield PublishedResult(result, storage, lease, job_store)


def read_published(storage: Storage, spec: JobSpec | None = None) -> EpisodeResult:
    """Return an episode's public result.

    Raises:
        JobFailedError: there is no readable result, or another job's.
    """
    result = read_manifest(storage)
    if result is None:
        fault = "is damaged or of another version of Duet" if storage.exists(MANIFEST) else "does not exist"
        raise JobFailedError(f"{storage.uri}/{MANIFEST} {fault}; submit the episode again.")
    if spec and result.job != spec.job:
        raise JobFailedError(taken(spec, result))
    return result


def _check_ended(job: str, job_store: JobStore) -> None:
    record = job_store.get(job)
    if record is not None and not record.state.is_final:
        source, state = record.spec.episode.source, record.state.value
        raise JobAtWorkError(f"Job {job} of {source} is {state}; change its result when it has ended.")


@contextmanager
def _sole_writer(uri: str, job_store: JobStore) -> Iterator[VisitorLease]:
    """Hold the lease on a folder, under which merges write to it too."""
    lease = VisitorLease(job_store.redis, uri)
    deadline = time.monotonic() + PATIENCE_S
    with readable_errors():
        while not lease.acquire():
            if time.monotonic() > deadline:
                raise JobAtWorkError(f"Another job writes to {uri}; try again in a moment.")
            time.sleep(POLL_S)
        try:
            yield lease
        finally:
            lease.release()
