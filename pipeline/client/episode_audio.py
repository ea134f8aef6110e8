"""The audio of a job, at the address from which the pools read it."""

from urllib.parse import urlsplit

from pipeline.results.manifest import WORK
from pipeline.sources import Source
from pipeline.storage import S3, is_local, open_object, open_storage, path_of
from pipeline.storage.copies import suffix_of
from pipeline.types import JobSpec


def copy_for_pools(source: Source, spec: JobSpec) -> str:
    """Return a URI from which the pools can read a job's audio, copying it to its work folder if necessary.

    Raises:
        AudioError, StorageError, TransientError: the audio cannot be read, or the copy cannot be written.
    """
    name = f"{WORK}{spec.job}/audio{_suffix(spec.episode.source)}"
    return source.copy_audio(open_storage(spec.uri), name)


def is_there(audio_uri: str) -> bool:
    """Return whether a job's audio still exists; web addresses are only checked when they are downloaded.

    Raises:
        StorageError, TransientError: the bucket rejects the request, or cannot answer at the moment.
    """
    if is_local(audio_uri):
        return path_of(audio_uri).is_file()
    if audio_uri.startswith(S3):
        storage, name = open_object(audio_uri)
        return storage.exists(name)
    return bool(audio_uri)


def _suffix(source: str) -> str:
    """Return the lower-case extension of a path or URL, or an empty string if it has none."""
    path = urlsplit(source).path if "://" in source else source
    return suffix_of(path)
