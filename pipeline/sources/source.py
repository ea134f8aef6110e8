"""Interface of a source: one episode's audio."""

from typing import Protocol

from pipeline.sources.digest_cache import Digests
from pipeline.storage import Storage
from pipeline.types import Episode
from pipeline.types.found import Rejected, Skipped


class Source(Protocol):
    """One episode's audio: a file, an object in a bucket, or a web address.

    Each method raises `AudioError` if the audio is not available, `StorageError` if a bucket denies access, and
    `TransientError` if a later retry is likely to succeed.
    """

    @property
    def name(self) -> str:
        """The source's path or URI, as the user wrote it."""
        ...

    def known_episode(self, digests: Digests) -> Episode | None:
        """Return the episode if its bytes have been read before and have not changed; else None."""
        ...

    def read(self, digests: Digests) -> Episode:
        """Return the episode, reading its bytes if they have not been read before."""
        ...

    def copy_audio(self, storage: Storage, name: str) -> str:
        """Return a URI from which the pools can read the audio, copying it to `name` in the storage if necessary."""
        ...

    def forget(self) -> None:
        """Remove the audio from the cache."""
        ...


Found = Source | Skipped | Rejected
