"""The chord's callback, which merges the legs and writes the manifest, and its errback for a leg that was killed."""

import time
from typing import Any

from celery import Task
from celery.result import AsyncResult
from celery.utils.log import get_task_logger

from pipeline.celery import app
from pipeline.errors import BrokerError, DuetError, EngineError, TransientError
from pipeline.messaging import chord
from pipeline.messaging.chord import step_of
from pipeline.messaging.message_check import admit, admit_outcomes
from pipeline.results.manifest import read_result
from pipeline.results.merge import merge_legs, second_opinion_on
from pipeline.results.publication import publish
from pipeline.sources.published_chapters import published_chapters
from pipeline.state import metric_events
from pipeline.state.counters import Counts
from pipeline.state.job_store import JobStore
from pipeline.state.lease import Lease
from pipeline.state.metric_definitions import reason_of
from pipeline.state.redis import connect
from pipeline.state.webhook_outbox import send_due_if_possible
from pipeline.storage import Storage, open_storage
from pipeline.types import LEGS, Analysis, EpisodeResult, JobSpec, JobState, Leg, LegOutcome, SecondOpinion, Transcript
from pipeline.types.records import JobRecord
from tasks.base.checkpoints import saved_opinion
from tasks.base.end_report import end_report, report_with_legs
from tasks.base.leg_run import MAX_LOSSES
from tasks.base.reasons import PROCESS_LOST, sentence_for
from tasks.base.retry import has_tries_left, reject_on_broker_outage, requeue, try_later

logger = get_task_logger(__name__)
OPTIONS = {
    "typing": False,
    "default_retry_delay": 5,  # seconds before the retry of a merge after its process was killed
    "Request": "workers.runtime.outcome_request:OutcomeRequest",
    "resultrepr_maxsize": 4096,  # characters of the end with its reason in Flower
}
"""Options of the tasks that end a job."""
FOLDER_IN_USE_S = 1.0
"""Seconds before a merge checks again whether another job still writes to the same episode folder."""


@app.task(bind=True, name="tasks.merge", **OPTIONS)  # type: ignore[untyped-decorator]
def merge(self: Task, outcomes: list[dict[str, Any]], message: dict[str, Any]) -> dict[str, Any]:
    """Merge the outcomes of the legs and end the job; request a second opinion first if Whisper was uncertain."""
    with reject_on_broker_outage():
        try:
            spec, legs = admit(message), admit_outcomes(outcomes)
        except DuetError as error:
            return _refuse(message, error)
        if _request_opinion(self, spec, legs):
            return end_report(spec, JobState.TRANSCRIBED, "Voxtral is asked for a second opinion.")
        return _end_job(self, spec, legs)


@app.task(bind=True, name="tasks.rescue", **OPTIONS)  # type: ignore[untyped-decorator]
def rescue(self: Task, message: dict[str, Any]) -> dict[str, Any]:
    """End a job after a leg was killed: merge the available results and record the missing ones."""
    return _end_with_what_is_known(self, message)


@app.task(bind=True, name="tasks.conclude", **OPTIONS)  # type: ignore[untyped-decorator]
def conclude(self: Task, message: dict[str, Any]) -> dict[str, Any]:
    """End a job after its second opinion, whether that succeeded or not."""
    return _end_with_what_is_known(self, message)


def _end_with_what_is_known(task: Task, message: dict[str, Any]) -> dict[str, Any]:
    with reject_on_broker_outage():
        try:
            spec = admit(message)
        except DuetError as error:
            return _refuse(message, error)
        return _end_job(task, spec, _outcomes(spec))


def _request_opinion(task: Task, spec: JobSpec, legs: dict[Leg, LegOutcome]) -> bool:
    """Request a second opinion if one is needed; return False if the job can end without one."""
    job_store = JobStore(connect(patient=True))
    record = job_store.get(spec.job)
    if record is None or record.spec.attempt != spec.attempt or record.state.is_final:
        return False
    if record.opinion_asked_at:
        return True  # redelivered: the second opinion is requested already
    try:
        spans = second_opinion_on(spec, legs, open_storage(spec.uri))
    except TransientError as error:
        if has_tries_left(task):
            try_later(task, error)
        return False
    except DuetError:
        return False  # the caller ends the job now and reports the error
    # Recorded before it is sent, so that the sweeper sends it if this process dies in between.
    if not spans or not job_store.note(spec, opinion_asked_at=time.time()):
        return False
    chord.send_opinion(spec)
    return True


def _outcomes(spec: JobSpec) -> dict[Leg, LegOutcome]:
    """Return the outcomes of all legs, from the job store and Celery's results."""
    record = JobStore(connect(patient=True)).get(spec.job)
    return {leg: _rescued_outcome(spec, leg, record) for leg in LEGS}


def _refuse(message: object, error: DuetError) -> dict[str, Any]:
    """End a job with an invalid message as failed, if the message identifies the job."""
    logger.error("%s", error)
    fields = message if isinstance(message, dict) else {}
    job, attempt = fields.get("job"), fields.get("attempt")
    if isinstance(job, str) and isinstance(attempt, int):
        counts = metric_events.step_failed("merge", reason_of(error))
        JobStore(connect(patient=True)).fail(job, attempt, str(error), counts)
    return {"job": str(job), "state": JobState.FAILED.value, "reason": str(error)}


def _rescued_outcome(spec: JobSpec, leg: Leg, record: JobRecord | None) -> LegOutcome:
    if record and (outcome := record.legs[leg].outcome):
        return outcome
    error = AsyncResult(spec.task_id(leg), app=app).result
    if isinstance(error, dict):
        return LegOutcome.model_validate(error)
    return LegOutcome(
        leg=leg,
        status="failed",
        reason=f"{PROCESS_LOST} ({type(error).__name__}: {error}).",
    )


def _end_job(task: Task, spec: JobSpec, legs: dict[Leg, LegOutcome]) -> dict[str, Any]:
    """End the job under a lease on the episode's folder, so that no other job writes to it meanwhile."""
    job_store = JobStore(connect(patient=True))
    folder = Lease(job_store.redis, spec.uri)
    if not folder.acquire():
        requeue(task, countdown=FOLDER_IN_USE_S)
    try:
        return _write_end(task, spec, legs, job_store)
    finally:
        folder.release()


def _write_end(task: Task, spec: JobSpec, legs: dict[Leg, LegOutcome], job_store: JobStore) -> dict[str, Any]:
    """Write the manifest, then move the job to its final state. The manifest is the proof that a job is done."""
    cause = ""
    try:
        if not job_store.seal(spec) and (ended := _result_if_ended(spec, job_store)):
            return ended
        storage = open_storage(spec.uri)
        record = job_store.get(spec.job)
        _count_start(spec, job_store, record)
        result = _stored_result(spec, storage)
        if result is None:
            opinion = _opinion(spec, storage, record)
            published = published_chapters(spec.episode.publication)
            result = merge_legs(spec, legs, storage, record, _outline, opinion, published)
            result = publish(result, spec, storage)
        state, reason = result.state, result.reason
    except TransientError as error:
        if has_tries_left(task):
            job_store.note(spec, endings=0)
            try_later(task, error)
        state, reason, cause = JobState.FAILED, str(error), reason_of(error)
    except BrokerError:
        raise
    except DuetError as error:
        state, reason, cause = JobState.FAILED, _why_failed(error, legs), reason_of(error)
    except Exception as error:
        state, reason, cause = JobState.FAILED, sentence_for(error, f"merge of {spec.job}"), reason_of(error)
    record = job_store.get(spec.job)
    counts = _final_counts(legs, record)
    if cause:
        counts |= metric_events.step_failed(step_of(task.name), cause)
    job_store.advance(spec, state, counts, reason=reason, ended_at=time.time())
    send_due_if_possible(job_store)
    return report_with_legs(spec, state, reason, record, legs)


def _final_counts(legs: dict[Leg, LegOutcome], record: JobRecord | None) -> Counts:
    """Return the counts of a job's end: its duration, and the ends of legs that were lost before they were counted."""
    if record is None:
        return {}
    counts = metric_events.episode_took(time.time() - record.submitted_at)
    for leg, outcome in legs.items():
        if record.legs[leg].outcome is None:
            counts |= metric_events.leg_ended(outcome)
    return counts


def _count_start(spec: JobSpec, job_store: JobStore, record: JobRecord | None) -> None:
    """Count the start of a job's end in the job store; Celery does not count the loss of a whole worker.

    Raises:
        EngineError: its process was lost MAX_LOSSES times in a row.
    """
    begun = record.endings if record else 0
    if begun >= MAX_LOSSES:
        raise EngineError(
            f"The process that merges was ended before it was done, {begun} times in a row; it may need more memory."
        )
    job_store.note(spec, endings=begun + 1)


def _outline(transcript: Transcript) -> Analysis:
    from workers.outline import outline  # deferred: its libraries take seconds to load, and few workers need them

    return outline(transcript)


def _opinion(spec: JobSpec, storage: Storage, record: JobRecord | None) -> SecondOpinion | None:
    """Return the second opinion, a failed one if it was requested and lost, None if it was not requested."""
    if record is None or not record.opinion_asked_at:
        return None
    lost = SecondOpinion(status="failed", reason=f"{PROCESS_LOST}.")
    return saved_opinion(storage, spec) or lost


def _result_if_ended(spec: JobSpec, job_store: JobStore) -> dict[str, Any] | None:
    """Return the task's result if the job has ended already, as a callback may be delivered twice or late."""
    record = job_store.get(spec.job)
    if record is None:
        return end_report(spec, JobState.CANCELLED, "It was forgotten meanwhile, so nothing is written.")
    is_older = record.spec.attempt > spec.attempt
    if is_older or (record.state.is_final and _stored_result(spec, open_storage(spec.uri))):
        return end_report(spec, record.state, record.reason) | {"status": record.status.value}
    return None


def _stored_result(spec: JobSpec, storage: Storage) -> EpisodeResult | None:
    """Return this attempt's result if an earlier process wrote it and was lost before it ended the job."""
    result = read_result(spec, storage)
    return result if result and result.attempt == spec.attempt else None


def _why_failed(error: DuetError, legs: dict[Leg, LegOutcome]) -> str:
    return " ".join(dict.fromkeys([str(error), *(leg.reason for leg in legs.values() if leg.status == "failed")]))
