"""What both legs have in common: outcomes as values, states, progress, retries."""

import time
from typing import Any, ClassVar

from celery import Task
from celery.exceptions import Ignore, Reject
from celery.utils.log import get_task_logger

from pipeline.errors import BrokerError, CancelledError, DeviceMemoryError, DuetError, TransientError
from pipeline.messaging.app import PRIORITIES
from pipeline.messaging.message_check import admit
from pipeline.settings import settings
from pipeline.state import metric_events
from pipeline.state.job_store import Ledger
from pipeline.state.metric_definitions import reason_of
from pipeline.state.redis import connect
from pipeline.types import JobSpec, JobState, Leg, LegOutcome
from tasks.announcing import Announcer
from tasks.checkpoint import finished_outcome, save_outcome
from tasks.context import LegContext, Stop
from tasks.deliver import tell_at_once
from tasks.lease import Lease
from tasks.patience import end_process, has_tries_left, kept_while_the_broker_is_away, put_back, try_later
from workers.memory.pressure import begin_smaller

logger = get_task_logger(__name__)
FIRST = PRIORITIES[0]


class LegTask(Task):  # type: ignore[misc]  # celery has no types
    """A task of the chord's header that returns a `LegOutcome` instead of raising.

    It raises for Celery's own control flow only, so that the callback always runs and the other leg's work
    is never thrown away.
    """

    abstract = True
    typing = False
    max_retries = None
    """Not Celery but `LegContext.losses_in_a_row` bounds what kills its process: Celery does not see a whole
    worker go."""
    default_retry_delay = 0
    """Seconds before a leg is tried again whose process was killed. Celery would have one worker keep the message for
    that time, and then until it is free; without a delay whoever is free takes it."""
    Request = "workers.runtime.lost_process:LeasedRequest"
    resultrepr_maxsize = 4096
    """Of an outcome with its reason, for Flower."""
    leg: ClassVar[Leg]

    def __call__(self, message: dict[str, Any]) -> dict[str, Any]:
        """Run the leg of the job in the message and return its outcome as a plain dict."""
        try:
            spec = admit(message)
        except DuetError as error:
            logger.error("%s", error)
            return LegOutcome(leg=self.leg, status="failed", reason=str(error)).to_message()
        with kept_while_the_broker_is_away():
            ledger = Ledger(connect(patient=True))
            lease = Lease(ledger.redis, spec.task_id(self.leg))
            if not lease.acquire():
                put_back(self, countdown=settings().sweep_interval_s)
            try:
                return self._run_leg(LegContext(spec, self.leg, ledger, lease, Announcer(self)), ledger)
            finally:
                lease.release()

    def _run_leg(self, context: LegContext, ledger: Ledger) -> dict[str, Any]:
        spec, started = context.spec, time.monotonic()
        if self.leg not in spec.options.legs:
            outcome = self._skipped("It was not asked for.")
            _note_end(ledger, spec, outcome)
            return outcome.to_message()
        if not _note_start(ledger, spec, self.leg):
            return self._skipped("The job was cancelled.").to_message()
        ledger.advance(spec, JobState.RUNNING)
        outcome = self._outcome(context).model_copy(
            update={"work_s": round(time.monotonic() - started, 3), "tries": self.request.retries + 1}
        )
        _note_end(ledger, spec, outcome, context.reason)
        if self.leg == "whisper" and outcome.status == "ok":
            ledger.advance(spec, JobState.TRANSCRIBED, transcribed_at=time.time())
            tell_at_once(ledger)
        return outcome.to_message()

    def _outcome(self, context: LegContext) -> LegOutcome:
        try:
            if finished := finished_outcome(context.storage, context.spec, self.leg):
                return finished
            if losses := context.losses_in_a_row():
                return self._lost(losses)
            outcome: LegOutcome = self.run(context)
            save_outcome(context.storage, context.spec, outcome)
            return outcome
        except (Ignore, Reject, BrokerError):
            raise
        except CancelledError as error:
            return self._stopped(context, str(error))
        except Exception as error:
            context.reason = reason_of(error)
            return LegOutcome(leg=self.leg, status="failed", reason=self._sentence(context, error))

    def _sentence(self, context: LegContext, error: Exception) -> str:
        """Return what to tell of an error that stays; after one that may pass, the leg is begun once more instead."""
        match error:
            case TransientError():
                if has_tries_left(self):
                    try_later(self, error)
                return f"{error} It was tried {self.request.retries + 1} times."
            case DeviceMemoryError():
                return self._out_of_memory(context, error)
            case DuetError():
                return str(error)
            case MemoryError():
                return "The worker ran out of memory; use a smaller model or a machine with more of it."
        logger.exception("%s of %s failed", self.leg, context.spec.job)
        return f"Unexpected {type(error).__name__}: {error}. The worker's log has the details."

    def _stopped(self, context: LegContext, reason: str) -> LegOutcome:
        if context.stop is Stop.HANDOVER:
            put_back(self, priority=FIRST)
        if context.stop is Stop.LEASE_LOST:
            raise Ignore  # another process does it now
        return self._skipped(reason)

    def _out_of_memory(self, context: LegContext, error: DeviceMemoryError) -> str:
        """End this process, whose memory may be in shreds, for a fresh one that does less at once; but only once."""
        if context.may_start_afresh():
            logger.warning("%s A fresh process goes on.", error)
            begin_smaller()
            end_process()
        return f"{error}; use a smaller model, or fewer bits for Voxtral (`duet plan` says what fits)."

    def _lost(self, losses: int) -> LegOutcome:
        reason = f"The process at work was ended before it was done, {losses} times in a row; it may need more memory."
        return LegOutcome(leg=self.leg, status="failed", reason=reason)

    def _skipped(self, reason: str) -> LegOutcome:
        return LegOutcome(leg=self.leg, status="skipped", reason=reason)


def _note_start(ledger: Ledger, spec: JobSpec, leg: Leg) -> bool:
    """Write down when this attempt was first at the leg; False when the job has ended.

    A leg that is tried again did not wait until now.
    """
    record, now = ledger.get(spec.job), time.time()
    if record is None or record.spec.attempt != spec.attempt:
        return False
    started_at = record.legs[leg].started_at or now
    counts = metric_events.leg_began(leg, started_at - record.submitted_at)
    return ledger.note_leg(spec, leg, counts, started_at=started_at)


def _note_end(ledger: Ledger, spec: JobSpec, outcome: LegOutcome, reason: str = "") -> None:
    counts = metric_events.leg_ended(outcome, reason)
    ledger.note_leg(spec, outcome.leg, counts, outcome=outcome.model_dump_json(), ended_at=time.time())
