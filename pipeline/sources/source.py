"""The interface of a source: one episode's audio."""

from typing import Protocol

from pipeline.sources.digest_cache import Digests
from pipeline.storage import Storage
from pipeline.types import Episode
from pipeline.types.found import Rejected, Skipped


class Source(Protocol):
    """One episode's audio: a file, an object in a bucket, an address of the web.

    Each method raises `AudioError` where the audio is not to be had, `StorageError` where a bucket refuses,
    and `TransientError` where it is likely to work a little later.
    """

    @property
    def name(self) -> str:
        """The source's path or URI, as the user wrote it."""
        ...

    def recall(self, digests: Digests) -> Episode | None:
        """Return the episode if its bytes have been read before and cannot have changed; else None."""
        ...

    def read(self, digests: Digests) -> Episode:
        """Return the episode, from its bytes where they have not been read before."""
        ...

    def bring(self, storage: Storage, name: str) -> str:
        """Bring the audio to where the pools can read it, under that name if need be, and return its URI."""
        ...

    def forget(self) -> None:
        """Remove what reading it has left in the cache."""
        ...


Found = Source | Skipped | Rejected
