"""Submission of an episode, a folder, a bucket or a feed."""

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TypedDict, Unpack

from pipeline.client.batch import Batch
from pipeline.client.batch_submission import BatchSubmission
from pipeline.client.job import Job
from pipeline.client.submitter import SubmitStatus, Submitter
from pipeline.messaging.priorities import SINGLE
from pipeline.sources import Source, find_all, find_one
from pipeline.state.batch_store import BatchStore
from pipeline.state.job_store import JobStore
from pipeline.state.webhook_subscriptions import Webhooks
from pipeline.storage import as_uri, open_storage
from pipeline.types import Options
from pipeline.types.submitted import Submitted

__all__ = ["submit", "submit_all", "submit_feed", "submit_folder"]


def submit(
    source: str | Path | Source,
    to: str | Path = "results",
    options: Options | None = None,
    *,
    force: bool = False,
    priority: int = SINGLE,
    on_transcribed: str | None = None,
    on_completed: str | None = None,
    job_store: JobStore | None = None,
) -> Job:
    """Submit one episode and return its job at once.

    The same bytes with the same options and destination are the same job, independent of the file's name and the
    number of submissions. A job that failed or was cancelled starts again from its checkpoints.

    Args:
        source: path of an audio or video file, `s3://bucket/key`, web address, or a result of `find_one`.
        to: folder, `file://` or `s3://` URI in which the episode's own folder is created.
        options: the job's options; each of them changes the job's id.
        force: ignore existing results and run the whole job again.
        priority: 0 (first) to 9 (last); the default is above every batch.
        on_transcribed: URL of a signed webhook for the transcript; not called if the transcript exists already.
        on_completed: URL of a signed webhook for the end of the job, in any state. See docs/watching.md.
        job_store: a job store to share between calls; by default each call opens its own.

    Raises:
        AudioError: the audio does not exist, cannot be read, or is not below DUET_ALLOWED_ROOTS.
        AddressError: connections to the web address are not allowed.
        BrokerError: there is no broker, or it does not answer.
        StorageError: the destination is not supported, is not below DUET_ALLOWED_ROOTS, or rejects the request.
        TransientError: a server cannot answer at the moment.
    """
    hooks = Webhooks(on_transcribed, on_completed)
    submitter = Submitter(str(to), options, force=force, priority=priority, job_store=job_store, webhooks=hooks)
    prepared = submitter.prepare(find_one(source) if isinstance(source, str | Path) else source)
    (started,) = submitter.enqueue([prepared])
    if started.status is SubmitStatus.UNDER_WAY and (record := submitter.job_store.get(started.spec.job)):
        return Job(record.spec, submitter.job_store)
    return Job(started.spec, submitter.job_store)


class BatchArguments(TypedDict, total=False):
    """The keyword arguments of `submit_all`, documented there."""

    force: bool
    priority: int | None
    in_flight: int | None
    on_transcribed: str | None
    on_completed: str | None
    on_progress: Callable[[Submitted], None] | None


def submit_folder(
    folder: str | Path,
    to: str | Path = "results",
    options: Options | None = None,
    **arguments: Unpack[BatchArguments],
) -> Batch:
    """Submit every episode below a folder, or below an `s3://bucket/prefix`; see `submit_all`."""
    return submit_all([folder], to, options, **arguments)


def submit_feed(
    url: str,
    to: str | Path = "results",
    options: Options | None = None,
    **arguments: Unpack[BatchArguments],
) -> Batch:
    """Submit every episode of a podcast feed, RSS or Atom; see `submit_all`."""
    return submit_all([url], to, options, **arguments)


def submit_all(
    places: Iterable[str | Path],
    to: str | Path = "results",
    options: Options | None = None,
    *,
    force: bool = False,
    priority: int | None = None,
    in_flight: int | None = None,
    on_transcribed: str | None = None,
    on_completed: str | None = None,
    on_progress: Callable[[Submitted], None] | None = None,
) -> Batch:
    """Submit every episode at several places and return their batch when all are queued.

    Episodes with existing results are not run again. Sources that cannot be submitted are listed in the batch's
    `rejected` and do not stop the others. Files are read, downloaded and uploaded in parallel, and memory usage does
    not grow with their number.

    Args:
        places: files, folders, patterns such as `shows/**/*.mp3`, `s3://bucket/prefix`, URLs of audio or feeds.
        to, options, force: as for `submit`.
        priority: 0 (first) to 9 (last) for all; by default short episodes run before long ones.
        in_flight: maximum number of queued and running episodes; the call then blocks until only that many are
            left. None queues all at once.
        on_transcribed, on_completed: as for `submit`, for each episode.
        on_progress: called with the counts so far, in the calling thread, after each episode.

    Raises:
        BrokerError: there is no broker, or it does not answer.
        StorageError: the destination is not supported, is not below DUET_ALLOWED_ROOTS, or rejects the request.
    """
    names = [str(place) for place in places]
    open_storage(as_uri(to)).check_writable()
    hooks = Webhooks(on_transcribed, on_completed)
    submitter = Submitter(str(to), options, force=force, priority=priority, webhooks=hooks)
    batch = (
        BatchStore(submitter.job_store.redis).create(names, submitter.destination, submitter.options.to_message()).id
    )
    BatchSubmission(find_all(names), submitter, batch, in_flight=in_flight, on_progress=on_progress).run()
    return Batch(batch, submitter.job_store)
