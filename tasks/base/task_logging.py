"""Logs start and end of every task and records its trace span.

The ids of tasks are `<job>.<step>.<attempt>`, so each line of a task, of whatever library, says whose it is.
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
"""What is said of a task's result; nothing of it was said in an episode."""
MARKER = "__duet_began_at"


@dataclass(frozen=True)
class TaskIdentity:
    """Of which attempt of which job a task is."""

    job: str
    step: str
    attempt: int

    @classmethod
    def of(cls, task_id: str) -> "TaskIdentity | None":
        """Read a task's id; None where it is another kind of task."""
        job, _, rest = task_id.partition(".")
        step, _, attempt = rest.partition(".")
        return cls(job, step, int(attempt)) if step in STEPS and attempt.isdigit() else None


@task_prerun.connect  # type: ignore[untyped-decorator]
def log_start(task_id: str, task: Any, **_: Any) -> None:
    """Log the start of a task, and add its job, leg and attempt to all log lines until its end."""
    whose = TaskIdentity.of(task_id)
    if whose is None:
        return
    setattr(task.request, MARKER, time.time())
    structlog.contextvars.bind_contextvars(
        job=whose.job, episode=whose.job[:EPISODE_HEX_DIGITS], leg=whose.step, attempt=whose.attempt
    )
    logger.info("task_started", tries=task.request.retries + 1)


@task_postrun.connect  # type: ignore[untyped-decorator]
def log_end(task_id: str, task: Any, retval: Any, state: str | None = None, **_: Any) -> None:
    """Log the end of a task, and add its span to its job's trace."""
    whose = TaskIdentity.of(task_id)
    if whose is None:
        return
    began_at, now = getattr(task.request, MARKER, time.time()), time.time()
    result = retval if isinstance(retval, dict) else {}
    told = {name: value for name in TOLD if (value := result.get(name))}
    try:
        logger.info(
            "task_finished" if state == "SUCCESS" else (state or "left").lower(),
            took_s=round(now - began_at, 3),
            **told,
        )
        if tracing.is_on():
            _trace(whose, began_at, now, told | {"task_state": state or ""})
    finally:
        structlog.contextvars.clear_contextvars()


@worker_process_shutdown.connect  # type: ignore[untyped-decorator]
def flush_spans(**_: Any) -> None:
    """Send the spans that wait."""
    tracing.flush()


def _trace(whose: TaskIdentity, began_at: float, now: float, told: dict[str, Any]) -> None:
    own = {"job": whose.job, "episode": whose.job[:EPISODE_HEX_DIGITS], "leg": whose.step, "attempt": whose.attempt}
    error = str(told.get("reason", "failed")) if "failed" in (told.get("status"), told.get("state")) else ""
    name = STEPS[whose.step][0].removeprefix("tasks.")
    tracing.add_span(name, whose.job, whose.attempt, began_at, now, own | told, error)
    if told.get("state") in FINAL_STATES:
        try:
            record = JobStore().get(whose.job)
        except BrokerError as trouble:
            logger.warning("the trace has no root", trouble=str(trouble))
            return
        if record:
            tracing.add_span(tracing.ROOT, whose.job, whose.attempt, record.submitted_at, now, own | told, error)
