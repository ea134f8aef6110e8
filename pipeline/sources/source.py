"""What an episode's audio is taken from, whatever it is."""

from dataclasses import dataclass
from typing import Protocol

from pipeline.digests import Digests
from pipeline.shown import without_credentials
from pipeline.storage import Storage
from pipeline.text import well_formed
from pipeline.types import Episode


class Source(Protocol):
    """One episode's audio: a file, an object in a bucket, an address of the web.

    Each method raises `AudioError` where the audio is not to be had, `StorageError` where a bucket refuses,
    and `TransientError` where it is likely to work a little later.
    """

    @property
    def name(self) -> str:
        """What a person calls it: a path or a URI."""
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


@dataclass(frozen=True)
class _LeftOut:
    source: str
    """What a person calls it; of a web address, without user and query."""
    reason: str

    def __post_init__(self) -> None:
        # Both are told in places that take nothing but UTF-8 (names of files may be any bytes), and to anybody.
        object.__setattr__(self, "source", well_formed(without_credentials(self.source)))
        object.__setattr__(self, "reason", well_formed(self.reason))


@dataclass(frozen=True)
class Skipped(_LeftOut):
    """Something that is no episode, and why."""


@dataclass(frozen=True)
class Rejected(_LeftOut):
    """Something that could not be submitted, and why."""


Found = Source | Skipped | Rejected
