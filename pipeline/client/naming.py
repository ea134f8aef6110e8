"""Names that a user gives to the speakers of an episode that has ended."""

import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from pipeline.errors import JobAtWorkError, JobFailedError, MessageError
from pipeline.results.manifest import MANIFEST, read_manifest, taken, write_manifest
from pipeline.results.publication import write_files
from pipeline.results.speaker_names import with_user_names
from pipeline.results.speakers import with_linked_people
from pipeline.results.voices import VoiceMemory
from pipeline.state.job_store import JobStore
from pipeline.state.lease import VisitorLease
from pipeline.state.redis import readable_errors
from pipeline.state.renamed import note_renamed
from pipeline.storage import Storage, open_storage
from pipeline.storage.allowed_roots import check_destination
from pipeline.types import EpisodeResult, JobSpec, MergedTranscript

MOST_NAME = 100
"""Characters of the longest name."""
JOINERS = "\u200c\u200d"
"""Characters without width that some scripts need within a name."""
PATIENCE_S = 10.0
"""Seconds to wait for a job that writes to the same folder."""
POLL_S = 0.2


def name_speakers(
    uri: str, names: Mapping[str, str | None], job_store: JobStore, spec: JobSpec | None = None
) -> EpisodeResult:
    """Set the names of speakers in an episode's public result, write its files again, and return it.

    Args:
        uri: URI of the episode's folder.
        names: name of each speaker by id; None or an empty one removes the name.
        job_store: the job store.
        spec: the job whose result it must be; None: any.

    Raises:
        BrokerError: the broker does not answer.
        JobAtWorkError: the job has not ended, or another writes to the folder.
        JobFailedError: the folder has no readable result or another job's, or its speakers were not told apart.
        MessageError: there is no such speaker, or a name is invalid.
        StorageError, TransientError: storage rejects the request, or cannot answer at the moment.
    """
    checked = {speaker: _checked(name) for speaker, name in names.items()}
    check_destination(uri)
    storage = open_storage(uri)
    if spec:
        _check_ended(spec.job, job_store)
    with _sole_writer(uri, job_store) as lease:
        result = told_apart(storage, spec)
        _check_ended(result.job, job_store)
        transcript = _with(checked, result, uri)
        analysis = with_linked_people(result.analysis, transcript) if result.analysis else None
        named = result.model_copy(update={"transcript": transcript, "analysis": analysis})
        named = named.model_copy(update={"files": result.files | write_files(named, storage)})
        if not lease.is_held():
            raise JobAtWorkError(f"Another process began to write to {uri} meanwhile; give the names again.")
        write_manifest(named, storage)
        VoiceMemory(named.episode, uri).rename(transcript.speakers)
        note_renamed(job_store.redis, named.job)
    return named


def told_apart(storage: Storage, spec: JobSpec | None = None) -> EpisodeResult:
    """Return an episode's public result, whose speakers were told apart.

    Raises:
        JobFailedError: there is no readable result, or another job's, or its speakers were not told apart.
    """
    result = read_manifest(storage)
    if result is None:
        fault = "is damaged or of another version of Duet" if storage.exists(MANIFEST) else "does not exist"
        raise JobFailedError(f"{storage.uri}/{MANIFEST} {fault}; submit the episode again.")
    if spec and result.job != spec.job:
        raise JobFailedError(taken(spec, result))
    if result.transcript is None or not result.transcript.speakers:
        outcome = result.legs.get("speakers")
        why = f" ({outcome.reason.rstrip('.')})" if outcome and outcome.reason else ""
        raise JobFailedError(f"The speakers of {storage.uri} were not told apart{why}, so there is nobody to name.")
    return result


def _with(names: Mapping[str, str | None], result: EpisodeResult, uri: str) -> MergedTranscript:
    """Return the result's transcript with names for some of its speakers."""
    assert result.transcript is not None
    if not names:
        raise MessageError("Give the name of at least one speaker.")
    ids = [speaker.id for speaker in result.transcript.speakers]
    for speaker in names:
        if speaker not in ids:
            verb = "speaker is" if len(ids) == 1 else "speakers are"
            raise MessageError(f"There is no {_shown(speaker)} in {uri}; its {verb} {', '.join(ids)}.")
    return with_user_names(result.transcript, names)


def _check_ended(job: str, job_store: JobStore) -> None:
    record = job_store.get(job)
    if record is not None and not record.state.is_final:
        source, state = record.spec.episode.source, record.state.value
        raise JobAtWorkError(f"Job {job} of {source} is {state}; name its speakers when it has ended.")


def _checked(name: str | None) -> str | None:
    """Return a name without blanks around it; None for an empty one."""
    text = (name or "").strip(" ")
    if len(text) > MOST_NAME:
        raise MessageError(f"A name has at most {MOST_NAME} characters, and {_shown(text)} has {len(text)}.")
    if not all(letter.isprintable() or letter in JOINERS for letter in text):
        raise MessageError(f"A name has no line breaks and no control characters, and {_shown(text)} has some.")
    return text or None


def _shown(text: str) -> str:
    return text if text.isidentifier() and len(text) < 20 else ascii(text[:20] + "…" * (len(text) > 20))


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
