"""The second opinion: Voxtral transcribes Whisper's uncertain spans before the job ends."""

import time
from typing import Any

from celery import Task
from celery.exceptions import Ignore, Reject
from celery.utils.log import get_task_logger

from pipeline.celery import app
from pipeline.errors import BrokerError, CancelledError, TransientError
from pipeline.messaging.app import PRIORITIES
from pipeline.messaging.message_check import admit
from pipeline.results.merge import read_heard
from pipeline.results.second_opinion import uncertain_spans
from pipeline.settings import settings
from pipeline.state import metric_events
from pipeline.state.job_store import JobStore
from pipeline.state.lease import Lease
from pipeline.state.metric_definitions import reason_of
from pipeline.state.redis import connect
from pipeline.types import AlternativeTranscript, JobSpec, SecondOpinion
from tasks.base.audio_file import local_audio
from tasks.base.checkpoints import save_opinion, saved_opinion
from tasks.base.leg_run import LegRun, Stop
from tasks.base.reasons import PROCESS_LOST, sentence_for
from tasks.base.retry import has_tries_left, reject_on_broker_outage, requeue, try_later
from workers import pool
from workers.engine import Analyst, Skipped

logger = get_task_logger(__name__)


# `default_retry_delay` and `Request` are explained in `LegTask`.
@app.task(  # type: ignore[untyped-decorator]
    bind=True,
    name="tasks.reconsider",
    typing=False,
    default_retry_delay=0,
    Request="workers.runtime.lost_process:LeasedRequest",
)
def reconsider(self: Task, message: dict[str, Any]) -> dict[str, Any]:
    """Store Voxtral's transcription of the uncertain spans; `tasks.conclude` runs next in any case."""
    with reject_on_broker_outage():
        spec = admit(message)
        job_store = JobStore(connect(patient=True))
        lease = Lease(job_store.redis, spec.task_id("opinion"))
        if not lease.acquire():
            requeue(self, countdown=settings().sweep_interval_s)
        try:
            context = LegRun(spec, "voxtral", job_store, lease, lambda _: None)
            if context.is_cancelled() and context.stop is Stop.CANCELLED:
                return {"status": "skipped", "reason": "The job has ended."}
            opinion = saved_opinion(context.storage, spec) or _opinion(self, context, lease, _waited_s(job_store, spec))
            save_opinion(context.storage, spec, opinion)
        except TransientError as error:
            try_later(self, error)
        finally:
            lease.release()
        return {"status": opinion.status, "reason": opinion.reason}


def _opinion(task: Task, context: LegRun, lease: Lease, waited_s: float) -> SecondOpinion:
    """Return the second opinion; a failure becomes an opinion with status and reason."""
    if lease.was_left_behind:  # an optional step is not worth a second lost process
        return SecondOpinion(status="failed", reason=f"{PROCESS_LOST}; it may need more memory.")
    started = time.monotonic()
    try:
        analyst = pool.analyst()
        if isinstance(analyst, Skipped):
            return SecondOpinion(status="skipped", reason=analyst.reason)
        readings = _readings(analyst, context)
    except (Ignore, Reject, BrokerError):
        raise
    except CancelledError as error:
        return _handle_stop(task, context, str(error))
    except Exception as error:
        if isinstance(error, TransientError) and has_tries_left(task):
            raise
        return _failed(error, context.spec)
    return SecondOpinion(
        status="ok",
        readings=readings,
        model=analyst.model,
        device=analyst.device,
        waited_s=waited_s,
        work_s=round(time.monotonic() - started, 3),
        tries=task.request.retries + 1,
    )


def _failed(error: Exception, spec: JobSpec) -> SecondOpinion:
    JobStore().count(metric_events.step_failed("opinion", reason_of(error)))
    return SecondOpinion(status="failed", reason=sentence_for(error, f"the second opinion on {spec.job}"))


def _readings(analyst: Analyst, context: LegRun) -> tuple[AlternativeTranscript, ...]:
    spec = context.spec
    spans = uncertain_spans(read_heard(spec, context.storage))
    with local_audio(spec) as audio:
        return analyst.transcribe(audio, spans, spec.options, context.checkpoints, context.is_cancelled)


def _handle_stop(task: Task, context: LegRun, reason: str) -> SecondOpinion:
    if context.stop is Stop.HANDOVER:
        requeue(task, priority=PRIORITIES[0])
    if context.stop is Stop.LEASE_LOST:
        raise Ignore  # another process has the lease and runs this step
    return SecondOpinion(status="skipped", reason=reason)


def _waited_s(job_store: JobStore, spec: JobSpec) -> float:
    record = job_store.get(spec.job)
    asked_at = record.opinion_asked_at if record else None
    return round(max(0.0, time.time() - (asked_at or time.time())), 3)
