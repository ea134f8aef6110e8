"""Results of the tasks that end a job, which Celery stores and Flower shows; references and figures, no payloads."""

from typing import Any

from pipeline.types import JobSpec, JobState, Leg, LegOutcome
from pipeline.types.records import JobRecord


def end_report(spec: JobSpec, state: JobState, reason: str) -> dict[str, Any]:
    """Return the job with its state, its place and the reason."""
    return {"job": spec.job, "state": state.value, "uri": spec.uri, "reason": reason}


def report_with_legs(
    spec: JobSpec, state: JobState, reason: str, record: JobRecord | None, legs: dict[Leg, LegOutcome]
) -> dict[str, Any]:
    """Return the same with the status in words, and each leg that was asked for."""
    status = record.model_copy(update={"state": state}).status.value if record else state.value
    return end_report(spec, state, reason) | {"status": status, "legs": _legs(spec, legs)}


def _legs(spec: JobSpec, legs: dict[Leg, LegOutcome]) -> dict[Leg, dict[str, Any]]:
    return {
        leg: {"status": it.status, "short": it.short, "work_s": round(it.work_s, 1)}
        for leg, it in legs.items()
        if spec.options.runs(leg) and (leg != "speakers" or it.status == "ok" or it.falls_short(spec.options))
    }
