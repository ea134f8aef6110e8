"""Local cache of an encoder's output for the audio of an episode, so that a second question about it is quick."""

import logging
import time
import uuid
from contextlib import suppress

from pipeline.settings import settings
from pipeline.storage.copies import UNFINISHED, Copies

logger = logging.getLogger(__name__)
KEPT_S = 24 * 3600.0
"""Seconds after its last use for which an encoding is kept: it is derived from the audio, so it goes soon."""
SUFFIX = ".encoding"


class Encodings:
    """The encodings of one episode, within the size limit of the cache's copies of audio."""

    def __init__(self, episode: str) -> None:
        self._uri = uri_of(episode)
        self._copies = Copies(settings().cache_dir, settings().cache_limit_bytes)

    def load(self, key: str) -> bytes | None:
        """Return the encoding saved under a key, or None."""
        path = self._copies.path(self._uri, key)
        try:
            with self._copies.held(path) as is_there:
                if not is_there:
                    return None
                self._copies.mark_used(path)
                return path.read_bytes()
        except OSError as error:
            logger.warning("The audio's encoding cannot be read from %s: %s.", path, error.strerror)
            return None

    def save(self, key: str, data: bytes) -> None:
        """Store an encoding; if it cannot be stored, the log says so and the next question computes it again."""
        path = self._copies.path(self._uri, key)
        unfinished = path.with_name(f"{path.name}.{uuid.uuid4().hex[:8]}{UNFINISHED}")
        try:
            remove_unused(time.time())
            self._copies.make_room(len(data))
            unfinished.write_bytes(data)
            unfinished.rename(path)
        except OSError as error:
            with suppress(OSError):  # there may be no such folder
                unfinished.unlink()
            logger.warning("The audio's encoding is not kept in %s: %s.", path.parent, error.strerror)

    def forget(self) -> int:
        """Remove the unused encodings of the episode, and return their number."""
        return self._copies.forget(self._uri)


def uri_of(episode: str) -> str:
    """Return the name under which the cache keeps the encodings of an episode."""
    return f"encodings:{episode}{SUFFIX}"


def remove_unused(now: float) -> None:
    """Remove all encodings that have not been used for `KEPT_S` seconds."""
    for path in (settings().cache_dir / "audio").glob(f"*{SUFFIX}"):
        with suppress(FileNotFoundError):  # another process has removed it
            known = path.stat()
            if now - max(known.st_atime, known.st_mtime) > KEPT_S:
                path.unlink()
