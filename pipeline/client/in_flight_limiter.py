"""The limit of jobs of a batch in flight."""

from collections.abc import Iterable

from pipeline.state.job_store import JobStore


class InFlightLimiter:
    """Limits the jobs of a batch that are in flight; None means no limit."""

    def __init__(self, job_store: JobStore, limit: int | None, page: int) -> None:
        self._job_store = job_store
        self._limit = limit
        self._page = page
        self._inside: set[str] = set()

    def enter(self, jobs: Iterable[str]) -> None:
        """Count jobs that were enqueued."""
        if self._limit is not None:
            self._inside.update(jobs)

    def room(self) -> int:
        """Return the number of jobs that may be enqueued now."""
        if self._limit is None:
            return self._page
        if len(self._inside) >= self._limit:
            jobs = list(self._inside)
            for job, state in zip(jobs, self._job_store.states(jobs), strict=True):
                if state is None or state.is_final:
                    self._inside.discard(job)
        return self._limit - len(self._inside)
