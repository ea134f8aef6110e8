"""What an episode's audio is taken from, whatever it is."""

from dataclasses import dataclass
from typing import Protocol

from pipeline.digests import Digests
from pipeline.shown import without_credentials
from pipeline.storage import Storage
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


@dataclass(frozen=True)
class Skipped:
    """Something that is no episode, and why."""

    source: str
    """What a person calls it; of a web address, without user and query."""
    reason: str

    def __post_init__(self) -> None:
        """Leave out what nobody else may see."""
        object.__setattr__(self, "source", without_credentials(self.source))


@dataclass(frozen=True)
class Rejected:
    """Something that could not be submitted, and why."""

    source: str
    """What a person calls it; of a web address, without user and query."""
    reason: str

    def __post_init__(self) -> None:
        """Leave out what nobody else may see."""
        object.__setattr__(self, "source", without_credentials(self.source))


Found = Source | Skipped | Rejected
