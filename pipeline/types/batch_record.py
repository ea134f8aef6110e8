"""Records of a batch and its episodes."""

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Entry:
    """One episode of a batch."""

    job: str
    source: str
    """What the person called it, this time."""
    uri: str
    size_bytes: int
    was_done: bool = False
    """Whether its results were there before."""


@dataclass(frozen=True)
class BatchRecord:
    """A batch; times are seconds since the epoch."""

    id: str
    created_at: float
    places: tuple[str, ...]
    destination: str
    options: dict[str, Any]
    closed_at: float | None = None
    """When the last was submitted that will be; None while it still grows."""
    cancelled_at: float | None = None
    abandoned_at: float | None = None
    """When its client was found to be gone before it had submitted everything."""

    @property
    def is_submitted(self) -> bool:
        """Whether no more episodes will come."""
        return self.closed_at is not None or self.cancelled_at is not None
