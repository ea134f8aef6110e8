"""The newest batches, and the jobs of each, read once when a batch is closed."""

from dataclasses import dataclass
from threading import Lock

from pipeline.errors import BatchError
from pipeline.state.batch_store import BatchStore
from pipeline.types.batch_record import BatchRecord

SHOWN = 12
"""Number of newest batches on the home page."""
KEPT = 50


@dataclass(frozen=True)
class BatchJobs:
    """A batch and its jobs."""

    record: BatchRecord
    jobs: frozenset[str]

    @property
    def name(self) -> str:
        """The place that was submitted, or the first of several."""
        first = self.record.places[0].rstrip("/").rpartition("/")[2] if self.record.places else self.record.id
        others = len(self.record.places) - 1
        return f"{first} + {others} more" if others > 0 else first


class BatchList:
    """The batches of a broker."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._closed: dict[tuple[str, int], BatchJobs] = {}

    def newest(self, batches: BatchStore) -> list[BatchJobs]:
        """Return the newest batches, newest first; may block.

        Raises:
            BrokerError: the broker does not answer.
        """
        found = (self.find(batches, batch) for batch in reversed(batches.ids()[-SHOWN:]))
        return [it for it in found if it]

    def find(self, batches: BatchStore, batch: str) -> BatchJobs | None:
        """Return a batch by its id, or None if there is none; may block.

        Raises:
            BrokerError: the broker does not answer.
        """
        key = (batch, batches.count(batch, "jobs"))  # a job that is removed leaves its batch
        with self._lock:
            if key in self._closed:
                return self._closed[key]
        try:
            record = batches.get(batch)
        except (BatchError, KeyError):
            return None  # removed meanwhile
        if record.id != batch:
            return None
        found = BatchJobs(record, frozenset(it.job for it in batches.entries(batch)))
        if record.is_submitted:
            with self._lock:
                self._closed[key] = found
                while len(self._closed) > KEPT:
                    del self._closed[next(iter(self._closed))]
        return found
