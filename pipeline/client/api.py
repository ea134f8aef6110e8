"""Submitting episodes: one, a folder, a bucket, a feed."""

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
    """Put one episode to work and return its job at once.

    The same bytes with the same options and destination are the same job, however often they are submitted and
    whatever their file is called. One that failed or was cancelled is begun again, and what its legs had
    finished is not done twice.

    Args:
        source: path of an audio or video file, `s3://bucket/key`, its address on the web, or what `find_one`
            found there.
        to: folder, `file://` or `s3://` URI under which the episode's own folder is made.
        options: what to ask for; each option changes the job's id.
        force: do it all again, whatever is there.
        priority: 0 (first) to 9 (last); by default it goes before every batch.
        on_transcribed: an address that is told, signed, when the transcript is there; not where it is already.
        on_completed: one that is told when the job has ended, however it did. See docs/watching.md.
        job_store: one to share between many calls; by default each call opens its own.

    Raises:
        AudioError: there is no such audio, it cannot be read, or it is not below DUET_ALLOWED_ROOTS.
        AddressError: the address on the web may not be connected to.
        BrokerError: there is no broker, or it does not answer.
        StorageError: the destination is of no kind that Duet knows, is not below DUET_ALLOWED_ROOTS, or refuses.
        TransientError: a server is not able to answer now.
    """
    hooks = Webhooks(on_transcribed, on_completed)
    submitter = Submitter(str(to), options, force=force, priority=priority, job_store=job_store, webhooks=hooks)
    prepared = submitter.prepare(find_one(source) if isinstance(source, str | Path) else source)
    (started,) = submitter.enqueue([prepared])
    if started.status is SubmitStatus.UNDER_WAY and (record := submitter.job_store.get(started.spec.job)):
        return Job(record.spec, submitter.job_store)
    return Job(started.spec, submitter.job_store)


class BatchArguments(TypedDict, total=False):
    """The keyword arguments of `submit_all`, which explains them."""

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
    """Submit every episode at several places and return their batch when all are on the queues.

    What has its results already is not done again; what cannot be submitted is in the batch's `rejected` and
    never stops the rest. Files are read, downloaded and uploaded several at a time, and memory does not grow
    with their number.

    Args:
        places: files, folders, patterns such as `shows/**/*.mp3`, `s3://bucket/prefix`, addresses of audio
            and of feeds.
        to, options, force: as for `submit`.
        priority: 0 (first) to 9 (last) for all; by default short episodes go before long ones.
        in_flight: how many episodes may be on the queues and at work at once; the call then takes as long as
            all but the last of them. None puts all onto the queues.
        on_transcribed, on_completed: as for `submit`, of each episode.
        on_progress: called with the counts so far, in the calling thread, after each episode.

    Raises:
        BrokerError: there is no broker, or it does not answer.
        StorageError: the destination is of no kind that Duet knows, is not below DUET_ALLOWED_ROOTS, or refuses.
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
