"""Names that a user gives to the speakers of an episode that has ended."""

from collections.abc import Mapping

from pipeline.client.published_results import open_published, read_published
from pipeline.errors import JobFailedError, MessageError
from pipeline.results.speaker_names import with_user_names
from pipeline.results.speakers import with_linked_people
from pipeline.results.voices import VoiceMemory
from pipeline.state.job_store import JobStore
from pipeline.storage import Storage
from pipeline.types import EpisodeResult, JobSpec, MergedTranscript
from pipeline.types.text import is_writable

MOST_NAME = 100
"""Characters of the longest name."""


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
    with open_published(uri, job_store, spec) as published:
        result = _with_speakers(published.result, published.storage)
        transcript = _with(checked, result, uri)
        analysis = with_linked_people(result.analysis, transcript) if result.analysis else None
        named = published.replace(result.model_copy(update={"transcript": transcript, "analysis": analysis}))
        VoiceMemory(named.episode, uri).rename(transcript.speakers)
    return named


def told_apart(storage: Storage, spec: JobSpec | None = None) -> EpisodeResult:
    """Return an episode's public result, whose speakers were told apart.

    Raises:
        JobFailedError: there is no readable result, or another job's, or its speakers were not told apart.
    """
    return _with_speakers(read_published(storage, spec), storage)


def _with_speakers(result: EpisodeResult, storage: Storage) -> EpisodeResult:
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


def _checked(name: str | None) -> str | None:
    """Return a name without blanks around it; None for an empty one."""
    text = (name or "").strip(" ")
    if len(text) > MOST_NAME:
        raise MessageError(f"A name has at most {MOST_NAME} characters, and {_shown(text)} has {len(text)}.")
    if not is_writable(text):
        raise MessageError(f"A name has no line breaks and no control characters, and {_shown(text)} has some.")
    return text or None


def _shown(text: str) -> str:
    return text if text.isidentifier() and len(text) < 20 else ascii(text[:20] + "…" * (len(text) > 20))
