"""The answer to a question about a finished episode, from its audio."""

import time
from typing import Any, NoReturn

from celery import Task
from celery.exceptions import Ignore, Reject
from celery.utils.log import get_task_logger

from pipeline.celery import app
from pipeline.errors import BrokerError, CancelledError, DuetError, TransientError
from pipeline.messaging.app import PRIORITIES
from pipeline.messaging.message_check import admit_question
from pipeline.results.answered import located, save_answered
from pipeline.results.corrections.files import context_of
from pipeline.settings import settings
from pipeline.state import metric_events
from pipeline.state.job_store import JobStore
from pipeline.state.lease import Lease
from pipeline.state.metric_definitions import reason_of
from pipeline.state.question_store import QuestionStore
from pipeline.state.redis import connect
from pipeline.storage.encodings import Encodings
from pipeline.types import CustomAnswer
from pipeline.types.question import AskedQuestion
from tasks.base.audio_file import local_audio
from tasks.base.leg_run import Stop
from tasks.base.question_run import QuestionRun
from tasks.base.reasons import PROCESS_LOST, sentence_for
from tasks.base.retry import has_tries_left, reject_on_broker_outage, requeue, try_later
from workers import pool
from workers.engine import Analyst, Skipped

logger = get_task_logger(__name__)
MOST_STARTS = 3
"""Starts after which a question whose process was lost each time is taken to be the cause."""


# `default_retry_delay` and `Request` are explained in `LegTask`.
@app.task(  # type: ignore[untyped-decorator]
    bind=True,
    name="tasks.answer",
    typing=False,
    ignore_result=True,
    default_retry_delay=0,
    Request="workers.runtime.lost_process:LeasedRequest",
)
def answer(self: Task, message: dict[str, Any]) -> dict[str, Any] | None:
    """Answer a question with Voxtral, and store the answer with its times."""
    try:
        spec = admit_question(message)
    except DuetError as error:
        logger.error("%s", error)
        return None
    with reject_on_broker_outage():
        store = QuestionStore(JobStore(connect(patient=True)))
        asked = store.get(spec.job.job, spec.id)
        if asked is None or asked.is_final:
            return None  # its job was removed, or another delivery of this message has ended it
        lease = Lease(store.redis, spec.task_id)
        if not lease.acquire():
            requeue(self, countdown=settings().sweep_interval_s)
        try:
            return _run(self, QuestionRun(spec, asked, store, lease), was_lost=lease.was_left_behind)
        except TransientError as error:
            try_later(self, error)
        finally:
            lease.release()


def _run(task: Task, run: QuestionRun, *, was_lost: bool) -> dict[str, Any]:
    if was_lost and run.asked.starts >= MOST_STARTS:
        run.note(state="failed", reason=f"{PROCESS_LOST}; it may need more memory.", ended_at=time.time())
    elif run.note(state="running", starts=run.asked.starts + 1):
        ended = _ended(task, run)
        run.note(**dict(ended))
        if ended.state == "answered":  # a question that failed goes on from its checkpoints when it is asked again
            run.clear_checkpoints()
    return {"status": run.asked.state, "reason": run.asked.reason}


def _ended(task: Task, run: QuestionRun) -> AskedQuestion:
    """Return the question with its answer, or with the reason why it has none."""
    try:
        analyst = pool.analyst()
        if isinstance(analyst, Skipped):
            return _end_of(run, state="skipped", reason=analyst.reason)
        ended = _end_of(run, state="answered", answer=_answer(analyst, run), model=analyst.model)
        save_answered(ended, run.storage)
        return ended
    except (Ignore, Reject, BrokerError):
        raise
    except CancelledError:
        _give_up(task, run)
    except Exception as error:
        if isinstance(error, TransientError) and has_tries_left(task):
            raise
        JobStore().count(metric_events.step_failed("question", reason_of(error)))
        reason = sentence_for(error, f"question {run.spec.id} about {run.spec.job.job}")
        return _end_of(run, state="failed", reason=reason)


def _end_of(run: QuestionRun, **fields: object) -> AskedQuestion:
    return run.asked.model_copy(update={**fields, "ended_at": time.time()})


def _answer(analyst: Analyst, run: QuestionRun) -> CustomAnswer:
    job = run.spec.job
    with local_audio(job) as audio:
        found = analyst.answer(
            audio,
            run.spec.text,
            run.report,
            Encodings(job.episode.id),
            run.checkpoints,
            run.is_cancelled,
            context_of(job),
        )
    return located(found, job, run.storage)


def _give_up(task: Task, run: QuestionRun) -> NoReturn:
    if run.stop is Stop.HANDOVER:
        requeue(task, priority=PRIORITIES[0])
    raise Ignore  # the job was removed, or another process has the lease and goes on
