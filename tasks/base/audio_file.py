"""The episode's audio as a file on this machine."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from pipeline.client.retention.remote_copies import clear_forgotten
from pipeline.errors import AudioError, BrokerError
from pipeline.sources.access import check_source
from pipeline.state.redis import connect
from pipeline.storage import is_local, open_object, path_of
from pipeline.types import JobSpec

logger = logging.getLogger(__name__)


@contextmanager
def local_audio(spec: JobSpec) -> Iterator[Path]:
    """Yield the path of the audio; an object in a bucket is downloaded to the cache and not evicted meanwhile.

    Raises:
        AudioError: the path does not exist on this machine, or jobs may not read it.
        AddressError: jobs may not reach this web address.
        StorageError: the bucket rejects the request.
    """
    check_source(spec.audio_uri)
    if is_local(spec.audio_uri):
        path = path_of(spec.audio_uri)
        if not path.is_file():
            raise AudioError(
                f"{path} is not there for the worker; share that folder with the worker's machine, "
                "or give an s3:// destination, then the audio travels with the job."
            )
        yield path
        return
    storage, name = open_object(spec.audio_uri)
    with storage.held_path(name) as path:
        yield path
    _clear_forgotten()


def _clear_forgotten() -> None:
    """Remove copies of audio that was removed on another machine; a failure is retried after the next episode."""
    try:
        clear_forgotten(connect())
    except (BrokerError, OSError) as error:
        logger.warning("Copies of forgotten audio are removed later: %s", error)
