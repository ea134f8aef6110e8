"""The leg task: runs a leg under its lease, with states and retries, and returns its outcome."""

import time
from collections.abc import Callable
from typing import Any

from celery import Task
from celery.exceptions import Ignore, Reject
from celery.utils.log import get_task_logger

from pipeline.errors import BrokerError, CancelledError, DeviceMemoryError, DuetError, TransientError
from pipeline.messaging.app import PRIORITIES
from pipeline.messaging.message_check import admit
from pipeline.settings import settings
from pipeline.state import metric_events
from pipeline.state.job_store import JobStore
from pipeline.state.lease import Lease
from pipeline.state.metric_definitions import reason_of
from pipeline.state.redis import connect
from pipeline.state.webhook_outbox import send_due_if_possible
from pipeline.types import JobSpec, JobState, Leg, LegOutcome
from tasks.base.checkpoints import finished_outcome, save_outcome
from tasks.base.leg_run import LegRun, Stop
from tasks.base.progress import ProgressPublisher
from tasks.base.reasons import PROCESS_LOST, sentence_for
from tasks.base.retry import exit_for_restart, has_tries_left, reject_on_broker_outage, requeue, try_later
from workers.memory.pressure import record_oom

logger = get_task_logger(__name__)
FIRST, LAST = PRIORITIES[0], PRIORITIES[-1]
LegBody = Callable[[LegRun], LegOutcome]


class LegTask(Task):  # type: ignore[misc]  # celery has no types
    """A task of the chord's header; its function calls `run_leg`.

    It returns a `LegOutcome` and raises only the exceptions of Celery's control flow, so that the callback always runs
    and the other leg's work is never lost.
    """

    abstract = True
    typing = False
    max_retries = None
    """`LegRun.losses_in_a_row` limits the losses of the process: Celery does not count the loss of a whole worker."""
    default_retry_delay = 0
    """Seconds before the retry of a leg after its process was killed. With a delay, Celery would reserve the message on
    one worker for that time and until that worker is idle; without, any idle worker receives it."""
    Request = "workers.runtime.lost_process:LeasedRequest"
    resultrepr_maxsize = 4096
    """Characters of an outcome with its reason in Flower."""


def run_leg(task: Task, message: dict[str, Any], leg: Leg, body: LegBody) -> dict[str, Any]:
    """Run one leg of the job in a message, and return its `LegOutcome` as a plain dict.

    Args:
        task: the task at work.
        message: a `JobSpec` as a dict.
        leg: the leg to run.
        body: does the work; its exceptions become outcomes.

    Raises:
        celery.exceptions.Ignore, celery.exceptions.Reject, celery.exceptions.Retry: the message will be redelivered.
    """
    try:
        spec = admit(message)
    except DuetError as error:
        logger.error("%s", error)
        return LegOutcome(leg=leg, status="failed", reason=str(error)).to_message()
    with reject_on_broker_outage():
        job_store = JobStore(connect(patient=True))
        lease = Lease(job_store.redis, spec.task_id(leg))
        if not lease.acquire():
            requeue(task, countdown=settings().sweep_interval_s)
        try:
            run = LegRun(spec, leg, job_store, lease, ProgressPublisher(task))
            return _run_and_record(task, run, job_store, body).to_message()
        finally:
            lease.release()


def _run_and_record(task: Task, run: LegRun, job_store: JobStore, body: LegBody) -> LegOutcome:
    """Run the leg, record its start and end in the job store, and return its outcome."""
    spec, started = run.spec, time.monotonic()
    if not spec.options.runs(run.leg):
        outcome = _skipped(run.leg, "It was not asked for.")
        _note_end(job_store, spec, outcome)
        return outcome
    if not _note_start(job_store, spec, run.leg):
        return _skipped(run.leg, "The job was cancelled.")
    job_store.advance(spec, JobState.RUNNING)
    outcome = _outcome(task, run, body).model_copy(
        update={"work_s": round(time.monotonic() - started, 3), "tries": task.request.retries + 1}
    )
    _note_end(job_store, spec, outcome, run.reason)
    if run.leg == "whisper" and outcome.status == "ok":
        job_store.advance(spec, JobState.TRANSCRIBED, transcribed_at=time.time())
        send_due_if_possible(job_store)
    return outcome


def _outcome(task: Task, run: LegRun, body: LegBody) -> LegOutcome:
    """Return the outcome of the body or of an earlier attempt; an error becomes a failed outcome."""
    try:
        if finished := finished_outcome(run.storage, run.spec, run.leg):
            return finished
        if losses := run.losses_in_a_row():
            return _failed(run.leg, f"{PROCESS_LOST}, {losses} times in a row; it may need more memory.")
        outcome = body(run)
        save_outcome(run.storage, run.spec, outcome)
        return outcome
    except (Ignore, Reject, BrokerError):
        raise
    except CancelledError as error:
        return _handle_stop(task, run, str(error))
    except Exception as error:
        run.reason = reason_of(error)
        return _failed(run.leg, _sentence(task, run, error))


def _sentence(task: Task, run: LegRun, error: Exception) -> str:
    """Return the reason in one sentence; retries the leg instead after a transient error."""
    match error:
        case TransientError():
            if has_tries_left(task):
                try_later(task, error)
            return f"{error} It was tried {task.request.retries + 1} times."
        case DeviceMemoryError():
            return _out_of_memory(run, error)
        case MemoryError():
            return "The worker ran out of memory; use a smaller model or a machine with more of it."
    return sentence_for(error, f"{run.leg} of {run.spec.job}")


def _handle_stop(task: Task, run: LegRun, reason: str) -> LegOutcome:
    if run.stop is Stop.HANDOVER:
        requeue(task, priority=FIRST)
    if run.stop is Stop.FAST_LEG_WAITS:
        requeue(task, priority=LAST)
    if run.stop is Stop.LEASE_LOST:
        raise Ignore  # another process has the lease and runs the leg
    return _skipped(run.leg, reason)


def _out_of_memory(run: LegRun, error: DeviceMemoryError) -> str:
    """Restart this process once with a smaller batch, as its memory may be fragmented; then return the reason."""
    if run.may_start_afresh():
        logger.warning("%s A fresh process goes on.", error)
        record_oom()
        exit_for_restart()
    return f"{error}; use a smaller model, or fewer bits for Voxtral (`duet plan` says what fits)."


def _failed(leg: Leg, reason: str) -> LegOutcome:
    return LegOutcome(leg=leg, status="failed", reason=reason)


def _skipped(leg: Leg, reason: str) -> LegOutcome:
    return LegOutcome(leg=leg, status="skipped", reason=reason)


def _note_start(job_store: JobStore, spec: JobSpec, leg: Leg) -> bool:
    """Record the first start of the leg in this attempt; return False if the job has ended.

    A retry keeps the first start, which the waiting time is measured by.
    """
    record, now = job_store.get(spec.job), time.time()
    if record is None or record.spec.attempt != spec.attempt:
        return False
    started_at = record.legs[leg].started_at or now
    counts = metric_events.leg_began(leg, started_at - record.submitted_at)
    return job_store.note_leg(spec, leg, counts, started_at=started_at)


def _note_end(job_store: JobStore, spec: JobSpec, outcome: LegOutcome, reason: str = "") -> None:
    counts = metric_events.leg_ended(outcome, reason)
    job_store.note_leg(spec, outcome.leg, counts, outcome=outcome.model_dump_json(), ended_at=time.time())
