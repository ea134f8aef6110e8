"""The callback: both outcomes merged and the manifest written; and the rescue, for a leg that was killed."""

import time
from typing import Any

from celery import Task
from celery.result import AsyncResult
from celery.utils.log import get_task_logger

from pipeline.celery import app
from pipeline.errors import DuetError, TransientError
from pipeline.ledger import JobRecord, Ledger
from pipeline.merge import merge_legs, write_manifest
from pipeline.storage import open_storage
from pipeline.types import JobSpec, JobState, Leg, LegOutcome
from tasks.patience import has_tries_left, try_later

logger = get_task_logger(__name__)


@app.task(bind=True, name="tasks.merge", typing=False)  # type: ignore[untyped-decorator]
def merge(self: Task, outcomes: list[dict[str, Any]], message: dict[str, Any]) -> dict[str, Any]:
    """Merge what both legs returned and end the job."""
    legs = {it.leg: it for it in map(LegOutcome.model_validate, outcomes)}
    return _end_job(self, JobSpec.model_validate(message), legs)


@app.task(bind=True, name="tasks.rescue", typing=False)  # type: ignore[untyped-decorator]
def rescue(self: Task, message: dict[str, Any]) -> dict[str, Any]:
    """End a job of which a leg could not return: merge what there is and say what is not."""
    spec = JobSpec.model_validate(message)
    record = Ledger().get(spec.job)
    names: tuple[Leg, Leg] = ("whisper", "voxtral")
    return _end_job(self, spec, {leg: _rescued_outcome(spec, leg, record) for leg in names})


def _rescued_outcome(spec: JobSpec, leg: Leg, record: JobRecord | None) -> LegOutcome:
    if record and (outcome := record.legs[leg].outcome):
        return outcome
    error = AsyncResult(spec.task_id(leg), app=app).result
    return LegOutcome(
        leg=leg,
        status="failed",
        reason=f"The process at work was ended before it was done ({type(error).__name__}: {error}).",
    )


def _end_job(task: Task, spec: JobSpec, legs: dict[Leg, LegOutcome]) -> dict[str, Any]:
    """Write the manifest, then move the job to its final state; that order makes the manifest the proof."""
    ledger = Ledger()
    try:
        storage = open_storage(spec.uri)
        result = merge_legs(spec, legs, storage, ledger.get(spec.job))
        write_manifest(result, storage)
        state, reason = result.state, result.reason
    except TransientError as error:
        if has_tries_left(task):
            try_later(task, error)
        state, reason = JobState.FAILED, str(error)
    except DuetError as error:
        state, reason = JobState.FAILED, _why_failed(error, legs)
    except Exception as error:
        logger.exception("merge of %s failed", spec.job)
        state, reason = (
            JobState.FAILED,
            f"Unexpected {type(error).__name__}: {error}. The worker's log has the details.",
        )
    ledger.advance(spec, state, reason=reason, ended_at=time.time())
    return {"job": spec.job, "state": state.value, "uri": spec.uri, "reason": reason}


def _why_failed(error: DuetError, legs: dict[Leg, LegOutcome]) -> str:
    return " ".join(dict.fromkeys([str(error), *(leg.reason for leg in legs.values() if leg.status == "failed")]))
