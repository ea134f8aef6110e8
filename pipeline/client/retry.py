"""Retry of a job that ended without all its legs: only the missing legs run again."""

import time

import redis
from kombu.exceptions import OperationalError

from pipeline.client.episode_audio import is_there
from pipeline.errors import AudioError
from pipeline.messaging import chord
from pipeline.messaging.priorities import SINGLE
from pipeline.results.manifest import read_manifest
from pipeline.state.job_store import JobStore
from pipeline.state.redis import unreachable
from pipeline.storage import open_storage
from pipeline.types import JobSpec, JobState, Leg
from pipeline.types.records import JobRecord


def missing_legs(record: JobRecord) -> tuple[Leg, ...]:
    """Return the legs of a job that have not succeeded."""
    return tuple(
        leg
        for leg, it in record.legs.items()
        if (it.outcome.is_missing(record.spec.options) if it.outcome else record.spec.options.runs(leg))
    )


def begin_again(record: JobRecord, job_store: JobStore, priority: int = SINGLE) -> JobSpec:
    """Queue an ended, incomplete job once more and return its new attempt; return other jobs unchanged.

    A leg that succeeded reuses its product, and one that failed resumes from its checkpoints.

    Raises:
        AudioError: the audio is no longer at its address.
        BrokerError: the broker does not answer.
        StorageError: the destination rejects the request.
        TransientError: the destination cannot answer at the moment.
    """
    if not record.state.is_final or (record.state is JobState.COMPLETED and not missing_legs(record)):
        return record.spec
    if missing_legs(record):
        _check_audio(record.spec)
    spec = _next_attempt(record.spec).model_copy(update={"priority": priority})
    if job_store.begin(spec):
        try:
            chord.send(spec)
        except (OperationalError, redis.RedisError) as error:
            raise unreachable(error) from None
        job_store.note(spec, sent_at=time.time())
    return spec


def _next_attempt(spec: JobSpec) -> JobSpec:
    """Return the next attempt; it reuses results if the last attempt, even a forced one, wrote the manifest."""
    manifest = read_manifest(open_storage(spec.uri))
    is_its_own = manifest is not None and (manifest.job, manifest.attempt) == (spec.job, spec.attempt)
    return spec.model_copy(update={"attempt": spec.attempt + 1, "fresh": spec.fresh and not is_its_own})


def _check_audio(spec: JobSpec) -> None:
    if not is_there(spec.audio_uri):
        raise AudioError(
            f"The audio of {spec.episode.source} is no longer at {spec.audio_uri or 'a place that the job knows'}; "
            "put it back there, or submit the episode from where it is now."
        )
