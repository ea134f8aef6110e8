"""Submitting episodes."""

import time
from pathlib import Path

import redis
from kombu.exceptions import OperationalError

from pipeline import canvas, celery
from pipeline.batch import Batch, Rejected
from pipeline.broker import unreachable
from pipeline.errors import AudioError
from pipeline.ids import episode_id, job_id, slug
from pipeline.job import Job
from pipeline.ledger import JobRecord, Ledger
from pipeline.merge import WORK, read_manifest
from pipeline.sources import audio_files
from pipeline.storage import as_uri, join, open_storage
from pipeline.types import Episode, EpisodeResult, JobSpec, JobState, Options

SEND_GRACE_S = 10.0
"""A job that was begun and not sent for this long was left by a client that died: it is sent again."""


def submit(
    source: str | Path,
    to: str | Path = "results",
    options: Options | None = None,
    *,
    force: bool = False,
    priority: int = celery.DEFAULT_PRIORITY,
    ledger: Ledger | None = None,
) -> Job:
    """Put one audio file to work and return its job at once.

    The same file with the same options and destination is the same job, however often it is submitted. One
    that failed or was cancelled is begun again, and what its legs had finished is not done twice.

    Args:
        source: path of an audio or video file.
        to: folder, `file://` or `s3://` URI under which the episode's own folder is made.
        options: what to ask for; each option changes the job's id.
        force: do it all again, whatever is there.
        priority: 0 (first) to 9 (last).
        ledger: one to share between many calls; by default each call opens its own.

    Raises:
        AudioError: there is no such file, or it cannot be read.
        BrokerError: there is no broker, or it does not answer.
        StorageError: the destination is of no kind that Duet knows, or refuses.
    """
    options = options or Options()
    path = Path(source)
    destination = as_uri(to)
    episode = read_episode(path)
    spec = JobSpec(
        job=job_id(episode.id, options, destination),
        attempt=1,
        episode=episode,
        options=options,
        audio_uri=path.absolute().as_uri(),
        uri=join(destination, f"{episode.slug}-{episode.id}"),
        fresh=force,
    )
    ledger = ledger or Ledger()
    record = ledger.get(spec.job)
    if record and not force and _is_under_way(record):
        return Job(record.spec, ledger)
    if not force and _is_done(spec):
        return Job(record.spec if record else spec, ledger)
    return _start(spec, record, ledger, priority)


def submit_folder(
    folder: str | Path,
    to: str | Path = "results",
    options: Options | None = None,
    *,
    force: bool = False,
    priority: int = celery.DEFAULT_PRIORITY,
) -> Batch:
    """Submit every audio file below a folder; one that cannot be submitted never stops the rest.

    Args and errors are those of `submit`; errors that concern one file are in the batch's `rejected`.
    """
    ledger = Ledger()
    jobs: list[Job] = []
    rejected: list[Rejected] = []
    for path in audio_files(Path(folder)):
        try:
            jobs.append(submit(path, to, options, force=force, priority=priority, ledger=ledger))
        except AudioError as error:
            rejected.append(Rejected(str(path), str(error)))
    return Batch(tuple(jobs), tuple(rejected))


def read_episode(path: Path) -> Episode:
    """Return the episode that a file holds, from one pass over its bytes.

    Raises:
        AudioError: there is no such file, or it cannot be read.
    """
    try:
        with path.open("rb") as audio:
            digest = episode_id(audio)
        return Episode(id=digest, source=str(path), slug=slug(path.name), size_bytes=path.stat().st_size)
    except FileNotFoundError:
        raise AudioError(f"{path} is not there; check the spelling.") from None
    except IsADirectoryError:
        raise AudioError(f"{path} is a folder; submit_folder() takes folders.") from None
    except OSError as error:
        raise AudioError(f"{path} cannot be read: {error.strerror}.") from None


def _is_under_way(record: JobRecord) -> bool:
    abandoned = record.sent_at is None and time.time() - record.submitted_at > SEND_GRACE_S
    return not record.state.is_final and not abandoned


def _is_done(spec: JobSpec) -> bool:
    manifest = read_manifest(open_storage(spec.uri))
    return manifest is not None and manifest.job == spec.job and _is_settled(manifest)


def _is_settled(result: EpisodeResult) -> bool:
    return result.state in (JobState.COMPLETED, JobState.PARTIAL) and not any(
        leg.status == "failed" for leg in result.legs.values()
    )


def _start(spec: JobSpec, record: JobRecord | None, ledger: Ledger, priority: int) -> Job:
    if record is None or record.state.is_final or spec.fresh:
        spec = spec.model_copy(update={"attempt": record.spec.attempt + 1 if record else 1})
        spec = _stage_audio(spec)
        if not ledger.begin(spec):
            return Job(spec, ledger)  # somebody else has begun this attempt just now
    else:
        spec = record.spec
    try:
        canvas.send(spec, priority)
    except (OperationalError, redis.RedisError) as error:
        raise unreachable(error) from None
    ledger.note(spec, sent_at=time.time())
    return Job(spec, ledger)


def _stage_audio(spec: JobSpec) -> JobSpec:
    """Bring the audio to where the results go, so that pools on other machines can read it."""
    storage = open_storage(spec.uri)
    if storage.uri.startswith("file://"):
        return spec
    path = Path(spec.episode.source)
    name = f"{WORK}{spec.job}/audio{path.suffix.lower()}"
    if not storage.exists(name):
        storage.put(name, path)
    return spec.model_copy(update={"audio_uri": join(spec.uri, name)})
