"""Sources that are no episode, or could not be submitted, each with the reason."""

from dataclasses import dataclass

from pipeline.errors import without_credentials
from pipeline.types.text import well_formed


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
