"""The audio of a job, at the address from which the pools read it."""

from pathlib import PurePosixPath
from urllib.parse import urlsplit

from pipeline.results.manifest import WORK
from pipeline.sources import Source
from pipeline.storage import open_storage, path_of
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
    parts = urlsplit(audio_uri)
    if parts.scheme == "file":
        return path_of(audio_uri).is_file()
    if parts.scheme == "s3":
        folder, _, name = audio_uri.rpartition("/")
        return open_storage(folder).exists(name)
    return bool(audio_uri)


def _suffix(source: str) -> str:
    """Return the lower-case extension of a path or URL, or an empty string if it has none."""
    path = urlsplit(source).path if "://" in source else source
    suffix = PurePosixPath(path).suffix.lower()
    return suffix if suffix[1:].isascii() and suffix[1:].isalnum() else ""
