"""The sweeper: finds open jobs without a message in any queue, and sends the missing message again.

Messages go missing when a client dies between storing a job and sending it, when a worker dies while it moves a
message from the queue to its own list, when a process dies between storing a leg's outcome and counting it for the
chord, and when a broker loses its last second of data.
"""

import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager

import redis
from celery.result import AsyncResult
from celery.utils.log import get_task_logger
from kombu.exceptions import OperationalError

from beat.periodic import PeriodicTask
from pipeline.celery import app
from pipeline.errors import BrokerError
from pipeline.messaging import chord
from pipeline.messaging.queues import task_ids
from pipeline.state import metric_events
from pipeline.state.job_store import JobStore
from pipeline.state.redis import connect
from pipeline.types import JobState
from pipeline.types.records import JobRecord

logger = get_task_logger(__name__)
SUSPECTS = "duet:suspects"
"""Set of the task ids missing at the last sweep; a message being moved between two lists is missing for a moment."""
MAX_RESENDS = 10
AWAY = (BrokerError, OperationalError, redis.RedisError)
"""Errors of a broker outage, which end the sweep."""


@app.task(base=PeriodicTask, name="beat.sweep", time_limit=90)  # type: ignore[untyped-decorator]
def sweep() -> None:
    """Send the awaited messages of open jobs that were missing at two sweeps in a row."""
    job_store = JobStore(connect())
    records = list(_readable(job_store, job_store.open_jobs()))
    for record in records:
        if record.was_never_sent:
            with _log_and_continue(record.spec.job):
                _send_all(job_store, record)
    sent = [record for record in records if record.sent_at]
    for record, step in _missing_twice(job_store, sent):
        with _log_and_continue(record.spec.job):
            _send_again(job_store, record, step)


def _readable(job_store: JobStore, jobs: list[str]) -> Iterator[JobRecord]:
    """Yield the record of each job; an invalid one, such as of another version, is logged and skipped."""
    try:
        records = list(filter(None, job_store.get_many(jobs)))
    except AWAY:
        raise
    except Exception:  # read them one by one to log the invalid one
        for job in jobs:
            with _log_and_continue(job):
                if record := job_store.get(job):
                    yield record
        return
    yield from records


@contextmanager
def _log_and_continue(job: str) -> Iterator[None]:
    """Log an error of one job and continue with the next; a broker outage ends the sweep."""
    try:
        yield
    except AWAY:
        raise
    except Exception:
        logger.exception("%s cannot be checked; the other jobs are.", job)


def _send_all(job_store: JobStore, record: JobRecord) -> None:
    logger.warning("%s was recorded and never sent; sending it.", record.spec.job)
    chord.send(record.spec)
    job_store.note(record.spec, sent_at=time.time())


def _missing_twice(job_store: JobStore, records: Iterable[JobRecord]) -> Iterator[tuple[JobRecord, str]]:
    pending = task_ids(job_store.redis)
    missing = {record.spec.task_id(step): (record, step) for record in records for step in _awaited(record, pending)}
    before = job_store.redis.smembers(SUSPECTS)
    with job_store.redis.pipeline() as pipe:
        pipe.delete(SUSPECTS)
        if missing:
            pipe.sadd(SUSPECTS, *missing)
        pipe.execute()
    return (missing[task_id] for task_id in missing if task_id in before)


def _awaited(record: JobRecord, pending: set[str]) -> Iterator[str]:
    """Yield the next steps of a job that have no message."""
    spec = record.spec
    if record.opinion_asked_at:
        if pending.isdisjoint({spec.task_id("opinion"), spec.task_id("conclude")}):
            yield "conclude" if AsyncResult(spec.task_id("opinion"), app=app).ready() else "opinion"
        return
    open_legs = [leg for leg, leg_record in record.legs.items() if leg_record.outcome is None]
    absent = [leg for leg in open_legs if spec.task_id(leg) not in pending]
    dead = [leg for leg in absent if AsyncResult(spec.task_id(leg), app=app).ready()]
    yield from (leg for leg in absent if leg not in dead)
    if len(dead) == len(open_legs) and pending.isdisjoint({spec.task_id("merge"), spec.task_id("rescue")}):
        yield "rescue" if dead else "merge"


def _send_again(job_store: JobStore, record: JobRecord, step: str) -> None:
    spec = record.spec
    if record.resends >= MAX_RESENDS:
        reason = f"What it waited for was lost {MAX_RESENDS} times; the workers' logs say why. Submit it again."
        job_store.advance(spec, JobState.FAILED, reason=reason, ended_at=time.time())
        return
    if not job_store.note(spec, resends=record.resends + 1):
        return
    job_store.count(metric_events.step_retried(step, "vanished"))
    logger.warning("%s waits for %s, whose message is lost; sending it again.", spec.job, step)
    if step == "merge":
        chord.send_merge(spec, [outcome for it in record.legs.values() if (outcome := it.outcome)])
    elif step == "rescue":
        chord.send_rescue(spec)
    elif step == "opinion":
        chord.send_opinion(spec)
    elif step == "conclude":
        chord.send_conclusion(spec)
    else:
        chord.send_leg(spec, step)
