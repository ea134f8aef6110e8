"""Counters and histograms whose values lie in one Redis hash, so that they outlive every process.

Whoever makes something happen adds its counts in the same script that writes it down (`pipeline/state/job_store.py`):
what is written once is counted once, however often a task runs.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from itertools import product
from math import inf

KEY = "duet:metrics"
Counts = dict[str, float]
"""What is to be added to which field of the hash."""
Labels = tuple[str, ...]


@dataclass(frozen=True)
class Counter:
    """Something that is counted, for each value that its labels may have."""

    name: str
    help: str
    labels: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """Each label and all the values it may have: there is a series for each, from the start."""

    def by(self, amount: float = 1.0, **labels: str) -> Counts:
        """Return the counts that add an amount."""
        return {self.field_of(self._values(labels)): amount}

    def series(self) -> Iterator[Labels]:
        """Yield the values of the labels of every series."""
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
    """A quantity that is seen many times."""

    bounds: tuple[float, ...] = ()
    """The upper ends of its buckets, rising; one without an end comes last."""

    @property
    def buckets(self) -> tuple[float, ...]:
        """The upper ends of all buckets."""
        return (*self.bounds, inf)

    def of(self, value: float, **labels: str) -> Counts:
        """Return the counts that add a value that was seen."""
        values = self._values(labels)
        bucket = next(bound for bound in self.buckets if value <= bound)
        return {self.bucket_field(values, bucket): 1.0, self.sum_field(values): value}

    def bucket_field(self, values: Labels, bound: float) -> str:
        """Return the field that counts the values of one bucket alone."""
        return f"{self.field_of(values)} le={bound:g}"

    def sum_field(self, values: Labels) -> str:
        """Return the field of the sum of all values."""
        return f"{self.field_of(values)} sum"
