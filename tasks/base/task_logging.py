"""Logs the start and end of every task and records its trace span.

Task ids are `<job>.<step>.<attempt>`; these three are added to every log line of a task, those of libraries too.
"""

import time
from dataclasses import dataclass
from typing import Any

import structlog
from celery.signals import task_postrun, task_prerun, worker_process_shutdown

from pipeline import tracing
from pipeline.errors import BrokerError
from pipeline.messaging.chord import STEPS
from pipeline.state.job_store import JobStore
from pipeline.types import FINAL_STATES
from pipeline.types.ids import EPISODE_HEX_DIGITS

logger = structlog.stdlib.get_logger("duet.tasks")
TOLD = ("status", "state", "reason", "work_s", "audio_s", "model", "device", "reused")
"""Fields of a task's result that are logged; none of them contains text of an episode."""
MARKER = "__duet_began_at"


@dataclass(frozen=True)
class TaskIdentity:
    """The job, step and attempt of a task."""

    job: str
    step: str
    attempt: int

    @classmethod
    def of(cls, task_id: str) -> "TaskIdentity | None":
        """Parse a task's id; return None for other kinds of tasks."""
        job, _, rest = task_id.partition(".")
        step, _, attempt = rest.partition(".")
        step = step.partition("-")[0]  # a question's id follows its step
        return cls(job, step, int(attempt)) if step in STEPS and attempt.isdigit() else None


@task_prerun.connect  # type: ignore[untyped-decorator]
def log_start(task_id: str, task: Any, **_: Any) -> None:
    """Log the start of a task, and add its job, leg and attempt to all log lines until its end."""
    ids = TaskIdentity.of(task_id)
    if ids is None:
        return
    setattr(task.request, MARKER, time.time())
    structlog.contextvars.bind_contextvars(
        job=ids.job, episode=ids.job[:EPISODE_HEX_DIGITS], leg=ids.step, attempt=ids.attempt
    )
    logger.info("task_started", tries=task.request.retries + 1)


@task_postrun.connect  # type: ignore[untyped-decorator]
def log_end(task_id: str, task: Any, retval: Any, state: str | None = None, **_: Any) -> None:
    """Log the end of a task, and add its span to its job's trace."""
    ids = TaskIdentity.of(task_id)
    if ids is None:
        return
    started_at, now = getattr(task.request, MARKER, time.time()), time.time()
    result = retval if isinstance(retval, dict) else {}
    fields = {name: value for name in TOLD if (value := result.get(name))}
    try:
        logger.info(
            "task_finished" if state == "SUCCESS" else (state or "left").lower(),
            took_s=round(now - started_at, 3),
            **fields,
        )
        if tracing.is_on():
            _trace(ids, started_at, now, fields | {"task_state": state or ""})
    finally:
        structlog.contextvars.clear_contextvars()


@worker_process_shutdown.connect  # type: ignore[untyped-decorator]
def flush_spans(**_: Any) -> None:
    """Send the buffered spans."""
    tracing.flush()


def _trace(ids: TaskIdentity, started_at: float, now: float, fields: dict[str, Any]) -> None:
    own = {"job": ids.job, "episode": ids.job[:EPISODE_HEX_DIGITS], "leg": ids.step, "attempt": ids.attempt}
    error = str(fields.get("reason", "failed")) if "failed" in (fields.get("status"), fields.get("state")) else ""
    name = STEPS[ids.step][0].removeprefix("tasks.")
    tracing.add_span(name, ids.job, ids.attempt, started_at, now, own | fields, error)
    if fields.get("state") in FINAL_STATES:
        try:
            record = JobStore().get(ids.job)
        except BrokerError as trouble:
            logger.warning("the trace has no root", trouble=str(trouble))
            return
        if record:
            tracing.add_span(tracing.ROOT, ids.job, ids.attempt, record.submitted_at, now, own | fields, error)
