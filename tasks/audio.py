"""The episode's audio as a file on this machine."""

from pathlib import Path
from urllib.parse import urlsplit

from pipeline.admission import check_source
from pipeline.errors import AudioError
from pipeline.storage import open_storage, path_of
from pipeline.types import JobSpec


def local_audio(spec: JobSpec) -> Path:
    """Return the path of the audio, fetched into the cache when it is in a bucket.

    Raises:
        AudioError: the path is not visible on this machine, or is one that jobs may not read.
        AddressError: it is a web address that may not be reached.
        StorageError: the bucket refuses.
    """
    check_source(spec.audio_uri)
    parts = urlsplit(spec.audio_uri)
    if parts.scheme == "file":
        path = path_of(spec.audio_uri)
        if not path.is_file():
            raise AudioError(
                f"{path} is not there for the worker; share that folder with the worker's machine, "
                "or give an s3:// destination, then the audio travels with the job."
            )
        return path
    folder, _, name = spec.audio_uri.rpartition("/")
    return open_storage(folder).local_path(name)
