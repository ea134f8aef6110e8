"""Pages of jobs, filtered on the server."""

from fastapi import HTTPException

from pipeline.http.batch_list import BatchList
from pipeline.http.job_catalogue import JobCatalogue, JobFilter
from pipeline.http.queue_places import QueueEstimate, QueuePlace
from pipeline.state.batch_store import BatchStore
from pipeline.state.job_store import INDEX, JobStore
from pipeline.state.redis import readable_errors
from pipeline.types.records import JobRecord

Listed = tuple[JobRecord, QueuePlace | None]


class JobLists:
    """The lists of a server, with what it remembers between two requests."""

    def __init__(self) -> None:
        self.catalogue = JobCatalogue()
        self.queue = QueueEstimate()
        self.batches = BatchList()

    def page(self, job_store: JobStore, wanted: JobFilter, offset: int, limit: int) -> tuple[int, list[Listed]]:
        """Return the number of jobs that pass a filter, and some of them, newest first; may block.

        Raises:
            BrokerError: the broker does not answer.
        """
        if wanted.is_empty:
            with readable_errors():
                ids = job_store.redis.zrevrange(INDEX, offset, offset + limit - 1)
                count = job_store.redis.zcard(INDEX)
        else:
            found = [it.job for it in self.catalogue.cards(job_store) if wanted.passes(it)]
            count, ids = len(found), found[offset : offset + limit]
        records = [it for it in job_store.get_many(ids) if it]
        return count, self.with_places(job_store, records)

    def with_places(self, job_store: JobStore, records: list[JobRecord]) -> list[Listed]:
        """Return jobs with their places in the queue; may block."""
        if all(it.state.is_final for it in records):
            return [(it, None) for it in records]
        places = self.queue.state(job_store, self.catalogue.cards(job_store)).places
        return [(it, None if it.state.is_final else places.get(it.spec.job)) for it in records]

    def jobs_of(self, job_store: JobStore, batch: str) -> frozenset[str]:
        """Return the jobs of a batch; 404 if there is none."""
        found = self.batches.find(BatchStore(job_store.redis), batch)
        if found is None:
            raise HTTPException(404, f"There is no batch {batch!r} on this server's broker.")
        return found.jobs
