"""Reading Duet's metrics as Prometheus does."""

from dataclasses import dataclass

from prometheus_client.parser import text_string_to_metric_families

from pipeline.monitoring.metrics.exposition import exposition


@dataclass(frozen=True)
class Measured:
    """One look at the metrics."""

    values: dict[tuple[str, frozenset[tuple[str, str]]], float]

    @classmethod
    def of(cls, page: str) -> "Measured":
        """Read a page."""
        families = list(text_string_to_metric_families(page))
        return cls({(it.name, frozenset(it.labels.items())): it.value for one in families for it in one.samples})

    @classmethod
    def now(cls) -> "Measured":
        """Look now."""
        return cls.of(exposition().decode())

    def __call__(self, sample: str, **labels: str) -> float:
        """Return the value of a sample."""
        return self.values[sample, frozenset(labels.items())]

    def since(self, before: "Measured", sample: str, **labels: str) -> float:
        """Return by how much a sample has grown."""
        return self(sample, **labels) - before(sample, **labels)

    @property
    def names(self) -> set[str]:
        """The names of all samples."""
        return {name for name, _ in self.values}
