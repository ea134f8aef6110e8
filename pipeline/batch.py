"""Several episodes submitted together."""

from collections.abc import Iterator
from dataclasses import dataclass

from pipeline.job import Job


@dataclass(frozen=True)
class Rejected:
    """Something that could not be submitted, and why."""

    source: str
    reason: str


@dataclass(frozen=True)
class Batch:
    """The jobs of a folder, and what of it could not be submitted."""

    jobs: tuple[Job, ...]
    rejected: tuple[Rejected, ...] = ()

    def __iter__(self) -> Iterator[Job]:
        return iter(self.jobs)

    def __len__(self) -> int:
        return len(self.jobs)
