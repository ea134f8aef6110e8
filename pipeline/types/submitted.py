"""The progress of a batch's submission."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Submitted:
    """The progress of a batch's submission, in numbers of sources."""

    new: int = 0
    done: int = 0
    """Sources with results from before."""
    under_way: int = 0
    """Sources with a running job of an earlier submission or another client."""
    rejected: int = 0
    skipped: int = 0
    read_bytes: int = 0
    """Size of the episodes so far."""

    @property
    def episodes(self) -> int:
        """Number of episodes so far, rejected ones included."""
        return self.new + self.done + self.under_way + self.rejected

    @property
    def is_begun(self) -> bool:
        """Whether anything has been found."""
        return bool(self.episodes or self.skipped)

    def __str__(self) -> str:
        """Return `37 done already, 2 new`."""
        parts = [
            (self.done, "done already"),
            (self.under_way, "under way already"),
            (self.new, "new"),
            (self.rejected, "rejected"),
            (self.skipped, "left out"),
        ]
        return ", ".join(f"{count} {name}" for count, name in parts if count) or "nothing to do"
