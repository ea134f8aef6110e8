"""Sources that are no episode or could not be submitted, each with the reason."""

from dataclasses import dataclass

from pipeline.errors import without_credentials, without_credentials_in
from pipeline.types.text import well_formed


@dataclass(frozen=True)
class _LeftOut:
    source: str
    """Path or address that the user gave; a web address is without user and query."""
    reason: str

    def __post_init__(self) -> None:
        # Both are shown to everyone, in places that accept only UTF-8 (file names may be any bytes).
        object.__setattr__(self, "source", well_formed(without_credentials(self.source)))
        object.__setattr__(self, "reason", well_formed(without_credentials_in(self.reason)))


@dataclass(frozen=True)
class Skipped(_LeftOut):
    """A source that is no episode."""


@dataclass(frozen=True)
class Rejected(_LeftOut):
    """A source that could not be submitted."""
