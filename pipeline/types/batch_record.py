"""Records of a batch and its episodes."""

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Entry:
    """One episode of a batch."""

    job: str
    source: str
    """Source that the user gave in this batch."""
    uri: str
    size_bytes: int
    was_done: bool = False
    """Whether its results existed before the submission."""


@dataclass(frozen=True)
class BatchRecord:
    """A batch; times are seconds since the epoch."""

    id: str
    created_at: float
    places: tuple[str, ...]
    destination: str
    options: dict[str, Any]
    closed_at: float | None = None
    """End of the submission; None while episodes are added."""
    cancelled_at: float | None = None
    abandoned_at: float | None = None
    """Time at which its submitter was found lost before the end of the submission."""

    @property
    def is_submitted(self) -> bool:
        """Whether no more episodes will be added."""
        return self.closed_at is not None or self.cancelled_at is not None
