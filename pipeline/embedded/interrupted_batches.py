"""Batches of interrupted `duet run` commands, whose jobs the next embedded stack cancels instead of running them."""

import time
from typing import Any

from pipeline.state.batch_store import BatchStore
from pipeline.state.job_store import JobStore
from pipeline.state.redis import readable_errors
from pipeline.types import JobState

RUNS = "duet:runs"
REASON = "The `duet run` that it belonged to was interrupted; submitted again, it goes on where it was."


def note_run(client: Any, batch: str) -> None:
    """Record the batch of the running `duet run`."""
    with readable_errors():
        client.sadd(RUNS, batch)


def note_run_ended(client: Any, batch: str) -> None:
    """Delete the record of a run that has ended."""
    with readable_errors():
        client.srem(RUNS, batch)


def cancel_interrupted(client: Any) -> int:
    """Cancel the open jobs of interrupted runs, and return their number.

    Jobs that were submitted before those runs, such as by `duet submit`, stay. The messages of cancelled jobs stay in
    the queues; their legs are skipped.
    """
    batches, job_store, cancelled = BatchStore(client), JobStore(client), 0
    with readable_errors():
        runs = client.smembers(RUNS)
    known = set(batches.ids())
    for run in runs:
        if run in known:
            cancelled += _cancel(run, batches, job_store)
        note_run_ended(client, run)
    return cancelled


def _cancel(run: str, batches: BatchStore, job_store: JobStore) -> int:
    created_at = batches.get(run).created_at
    records = job_store.get_many(entry.job for entry in batches.entries(run))
    begun = [it for it in records if it and not it.state.is_final and it.submitted_at >= created_at]
    batches.close(run, abandoned=True)
    return sum(job_store.advance(it.spec, JobState.CANCELLED, reason=REASON, ended_at=time.time()) for it in begun)
