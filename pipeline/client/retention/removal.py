"""Removal on request of an episode's results, uploads, work files, copies and data in Redis."""

import time
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from datetime import datetime
from functools import cached_property
from itertools import chain

from pipeline.client.library import episodes, names
from pipeline.client.retention.job_files import THREADS, clear_copies, delete_all, remove_upload, work_files
from pipeline.client.retention.redis_keys import counting_keys, lease_keys, result_keys
from pipeline.client.retention.remote_copies import note_forgotten
from pipeline.errors import JobAtWorkError, StorageError
from pipeline.results.formats import FORMATS
from pipeline.results.manifest import ANALYSIS, CORRECTIONS, MANIFEST, TRANSCRIPT, WORK, read_manifest
from pipeline.results.voices import forget_voices
from pipeline.state.batch_store import BatchStore
from pipeline.state.job_store import JobStore
from pipeline.state.question_store import QuestionStore
from pipeline.state.renamed import forget_renamed
from pipeline.storage import Storage, as_uri, join, open_storage, path_of
from pipeline.storage.allowed_roots import check_destination
from pipeline.storage.encodings import uri_of
from pipeline.types import JobSpec
from pipeline.types.records import JobRecord

OURS = frozenset({MANIFEST, TRANSCRIPT, ANALYSIS, CORRECTIONS, *(form.file for form in FORMATS.values())})
"""Names of the files that Duet writes to an episode's folder; other files are never removed."""
COUNTING_S = 7 * 24 * 3600
"""Seconds for which Celery may still count the legs of a cancelled job with queued messages."""


@dataclass(frozen=True)
class RemovalCounts:
    """Numbers of removed items, or of items to remove."""

    jobs: tuple[str, ...] = ()
    folders: tuple[str, ...] = ()
    """Folders of episodes without any file of Duet's left."""
    files: int = 0
    """Number of results and work files in storage."""
    uploads: int = 0
    copies: int = 0
    """Number of audio files in this machine's cache."""
    batch_entries: int = 0
    left: tuple[str, ...] = ()
    """Files in those folders that are not Duet's and stay."""


@dataclass(frozen=True)
class RemovalPlan:
    """The items to remove; nothing is removed yet."""

    records: tuple[JobRecord, ...] = ()
    folders: tuple[str, ...] = ()
    """Folders of episodes to remove all results from."""

    @property
    def is_empty(self) -> bool:
        """Whether there is nothing to remove."""
        return not self.records and not self.folders


class Remover:
    """Finds the data of an episode or a job, and removes it.

    A running job is never removed, as it would still write its results.
    """

    def __init__(self, job_store: JobStore) -> None:
        self._job_store = job_store

    @cached_property
    def _jobs(self) -> list[str]:
        return self._job_store.jobs()

    def job_named(self, start: str) -> str | None:
        """Return the id of the only job with this prefix, or None if none or several match."""
        found = [job for job in self._jobs if job.startswith(start)]
        return found[0] if len(found) == 1 else None

    def of_job(self, job: str) -> RemovalPlan:
        """Return the plan of a job, with its episode's folder if that has the job's own results."""
        record = self._job_store.get(job)
        if record is None:
            return RemovalPlan()
        others = [it for it in self._of_episode(record.spec.episode.id) if it.spec.job != job]
        beside = [it for it in others if it.spec.uri == record.spec.uri]
        manifest = read_manifest(open_storage(record.spec.uri))
        is_its_own = manifest.job == job if manifest else not beside
        if is_its_own:
            _check_ended(beside)
        return RemovalPlan((record,), (record.spec.uri,) if is_its_own else ())

    def of_episode(self, episode: str, folders: Iterable[str]) -> RemovalPlan:
        """Return the plan of an episode in some folders; without any, in all folders of its jobs in the job store.

        Args:
            episode: its id, 16 hex digits.
            folders: URIs of the episode's folders.
        """
        chosen = tuple(folders)
        records = [it for it in self._of_episode(episode) if not chosen or it.spec.uri in chosen]
        return RemovalPlan(tuple(records), tuple(dict.fromkeys([*chosen, *(it.spec.uri for it in records)])))

    def of_episode_everywhere(self, episode: str, place: str) -> RemovalPlan:
        """Return the plan of an episode, by its id, at a destination and in all folders of its jobs."""
        here = [join(as_uri(place), name) for name in names(place) if name.rpartition("-")[2] == episode]
        known = self.of_episode(episode, ())
        return RemovalPlan(known.records, tuple(dict.fromkeys([*here, *known.folders])))

    def before(self, moment: float, place: str) -> RemovalPlan:
        """Return the plan of all jobs, and results at a destination, that ended before a moment in epoch seconds.

        A folder that a newer job has written to or is writing to stays.
        """
        old, newer = [], set()
        for record in filter(None, self._job_store.get_many(self._jobs)):
            if record.state.is_final and (record.ended_at or record.submitted_at) < moment:
                old.append(record)
            else:
                newer.add(record.spec.uri)
        uris = dict.fromkeys(record.spec.uri for record in old)
        own = {record.spec.job for record in old}
        own_or_empty = [uri for uri in uris if uri not in newer]
        with ThreadPoolExecutor(THREADS) as threads:
            results = threads.map(lambda uri: read_manifest(open_storage(uri)), own_or_empty)
            folders = [uri for uri, it in zip(own_or_empty, results, strict=True) if it is None or it.job in own]
        base = as_uri(place)
        for name, result in episodes(place):
            uri, ended_at = join(base, name), result.ended_at
            if uri not in uris and uri not in newer and ended_at and _epoch_s(ended_at) < moment:
                folders.append(uri)
        return RemovalPlan(tuple(old), tuple(folders))

    def erase(self, plan: RemovalPlan) -> RemovalCounts:
        """Remove the planned items, those in Redis last, so that the removal can be repeated after a failure.

        Raises:
            JobAtWorkError: one of the jobs is running; nothing was removed.
            StorageError, TransientError: storage rejects the request, or cannot answer at the moment.
            BrokerError: the broker does not answer.
        """
        _check_ended(plan.records)
        self._check_stopped(plan.records)
        for uri in (*plan.folders, *(it.spec.uri for it in plan.records)):
            check_destination(uri)
        done = RemovalCounts(folders=plan.folders)
        for record in plan.records:
            done = _add_counts(done, self._remove_leftovers(record.spec))
        for uri in plan.folders:
            done = _add_counts(done, _clear(open_storage(uri)))
            forget_voices(uri)
        return self._forget_in_redis(plan.records, done)

    def _remove_leftovers(self, spec: JobSpec) -> RemovalCounts:
        copies = clear_copies(spec)
        if spec.audio_uri.startswith("s3://"):
            note_forgotten(self._job_store.redis, spec.audio_uri)
        if QuestionStore(self._job_store).of_job(spec.job):
            note_forgotten(self._job_store.redis, uri_of(spec.episode.id))
        storage = open_storage(spec.uri)
        files = delete_all(storage, work_files(storage, spec.job))
        return RemovalCounts(files=files, uploads=remove_upload(spec), copies=copies)

    def _forget_in_redis(self, records: Sequence[JobRecord], done: RemovalCounts) -> RemovalCounts:
        jobs = [(it.spec.job, it.spec.attempt) for it in records]
        entries = BatchStore(self._job_store.redis).forget({job for job, _ in jobs}) if jobs else 0
        counting = [counting_keys(it) for it in records]
        keys = [set(result_keys(*it)).difference(still) for it, still in zip(jobs, counting, strict=True)]
        gone = self._job_store.remove(jobs, time.time(), [sorted(it) for it in keys])
        for key in chain.from_iterable(counting):
            self._job_store.redis.expire(key, COUNTING_S)
        removed = tuple(job for (job, _), is_gone in zip(jobs, gone, strict=True) if is_gone)
        forget_renamed(self._job_store.redis, removed)
        return replace(done, jobs=removed, batch_entries=entries)

    def _of_episode(self, episode: str) -> list[JobRecord]:
        """Return every job of an episode; their ids start with the episode's."""
        found = [job for job in self._jobs if job.startswith(f"{episode}-")]
        return [record for record in self._job_store.get_many(found) if record]

    def _check_stopped(self, records: Iterable[JobRecord]) -> None:
        for record in records:
            open_questions = [it.id for it in QuestionStore(self._job_store).of_job(record.spec.job) if not it.is_final]
            if self._job_store.redis.exists(*lease_keys(record.spec, open_questions)):
                raise JobAtWorkError(
                    f"Job {record.spec.job} was ended and a worker has not stopped yet; try again in a moment."
                )


def _check_ended(records: Iterable[JobRecord]) -> None:
    for record in records:
        if not record.state.is_final:
            job, source = record.spec.job, record.spec.episode.source
            raise JobAtWorkError(f"Job {job} of {source} is {record.state.value}; cancel it first, then remove it.")


def _clear(storage: Storage) -> RemovalCounts:
    """Remove Duet's files from an episode's folder, the manifest first, since it implies that all others exist."""
    there = storage.list()
    ours = [name for name in there if name in OURS or name.startswith(WORK)]
    first = [name for name in ours if name == MANIFEST]
    files = delete_all(storage, first) + delete_all(storage, [name for name in ours if name != MANIFEST])
    left = tuple(f"{storage.uri}/{name}" for name in there if name not in ours)
    if not left and storage.uri.startswith("file:"):
        _remove_folder(storage)
    return RemovalCounts(files=files, left=left)


def _remove_folder(storage: Storage) -> None:
    try:
        path_of(storage.uri).rmdir()
    except FileNotFoundError:
        pass  # it was never created
    except OSError as error:
        raise StorageError(f"{storage.uri} cannot be removed: {error.strerror}.") from None


def _add_counts(one: RemovalCounts, other: RemovalCounts) -> RemovalCounts:
    return replace(
        one,
        files=one.files + other.files,
        uploads=one.uploads + other.uploads,
        copies=one.copies + other.copies,
        left=one.left + other.left,
    )


def _epoch_s(text: str) -> float:
    return datetime.fromisoformat(text).timestamp()
