"""Counters and histograms with values in one Redis hash, so that they outlive every process.

The script that records an event also adds its counts (`pipeline/state/job_store.py`), so that an event that is
recorded once is counted once, however often a task runs.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from itertools import product
from math import inf

KEY = "duet:metrics"
Counts = dict[str, float]
"""Amounts to add, by field of the hash."""
Labels = tuple[str, ...]


@dataclass(frozen=True)
class Counter:
    """A counter with one series for each combination of label values."""

    name: str
    help: str
    labels: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """Label names and their possible values; each combination has a series from the start."""

    def by(self, amount: float = 1.0, **labels: str) -> Counts:
        """Return the counts that add an amount."""
        return {self.field_of(self._values(labels)): amount}

    def series(self) -> Iterator[Labels]:
        """Yield the label values of every series."""
        return product(*self.labels.values())

    def field_of(self, values: Labels) -> str:
        """Return the field of a series."""
        return " ".join((self.name, *values))

    def _values(self, labels: Mapping[str, str]) -> Labels:
        if labels.keys() != self.labels.keys() or any(value not in self.labels[name] for name, value in labels.items()):
            raise ValueError(f"{self.name} has no series {labels}.")
        return tuple(labels[name] for name in self.labels)


@dataclass(frozen=True)
class Histogram(Counter):
    """A histogram of observed values."""

    bounds: tuple[float, ...] = ()
    """Upper bounds of its buckets, ascending, without the last, infinite one."""

    @property
    def buckets(self) -> tuple[float, ...]:
        """Upper bounds of all buckets."""
        return (*self.bounds, inf)

    def of(self, value: float, **labels: str) -> Counts:
        """Return the counts that add an observed value."""
        values = self._values(labels)
        bucket = next(bound for bound in self.buckets if value <= bound)
        return {self.bucket_field(values, bucket): 1.0, self.sum_field(values): value}

    def bucket_field(self, values: Labels, bound: float) -> str:
        """Return the field of one bucket's own count; it is not cumulative."""
        return f"{self.field_of(values)} le={bound:g}"

    def sum_field(self, values: Labels) -> str:
        """Return the field of the sum of all values."""
        return f"{self.field_of(values)} sum"
