"""What both legs have in common: outcomes as values, states, progress, retries."""

import time
from typing import Any, ClassVar

from celery import Task
from celery.exceptions import Ignore, Reject
from celery.utils.log import get_task_logger
from pydantic import ValidationError

from pipeline.broker import connect
from pipeline.errors import CancelledError, DuetError, TransientError
from pipeline.ledger import Ledger
from pipeline.types import JobSpec, JobState, Leg, LegOutcome
from tasks.checkpoint import finished_outcome, save_outcome
from tasks.context import LegContext
from tasks.patience import has_tries_left, try_later

logger = get_task_logger(__name__)


class LegTask(Task):  # type: ignore[misc]  # celery has no types
    """A task of the chord's header that returns a `LegOutcome` instead of raising.

    It raises for Celery's own control flow only, so that the callback always runs and the other leg's work
    is never thrown away.
    """

    abstract = True
    typing = False
    max_retries = 3
    default_retry_delay = 5
    """Seconds before a leg is tried again whose process was killed; `max_retries` bounds it."""
    leg: ClassVar[Leg]

    def __call__(self, message: dict[str, Any]) -> dict[str, Any]:
        """Run the leg of the job in the message and return its outcome as a plain dict."""
        started = time.monotonic()
        try:
            spec = JobSpec.model_validate(message)
        except ValidationError as error:
            return self._failed(f"The message is not one of Duet's ({error.error_count()} fields do not fit).")
        ledger = Ledger(connect(patient=True))
        if not ledger.note_leg(spec, self.leg, started_at=time.time()):
            return self._skipped("The job was cancelled.").to_message()
        ledger.advance(spec, JobState.RUNNING)
        outcome = self._outcome(LegContext(spec, self.leg, ledger, self._publish))
        outcome = outcome.model_copy(update={"work_s": round(time.monotonic() - started, 3)})
        ledger.note_leg(spec, self.leg, outcome=outcome.model_dump_json())
        if self.leg == "whisper" and outcome.status == "ok":
            ledger.advance(spec, JobState.TRANSCRIBED, transcribed_at=time.time())
        return outcome.to_message()

    def _outcome(self, context: LegContext) -> LegOutcome:
        try:
            if finished := finished_outcome(context.storage, context.spec, self.leg):
                return finished
            outcome: LegOutcome = self.run(context)
            save_outcome(context.storage, context.spec, outcome)
            return outcome
        except (Ignore, Reject):
            raise
        except CancelledError as error:
            return self._skipped(str(error))
        except TransientError as error:
            return self._retry_or_fail(error)
        except DuetError as error:
            return LegOutcome(leg=self.leg, status="failed", reason=str(error))
        except MemoryError:
            return LegOutcome(
                leg=self.leg,
                status="failed",
                reason="The worker ran out of memory; use a smaller model or a machine with more of it.",
            )
        except Exception as error:
            logger.exception("%s of %s failed", self.leg, context.spec.job)
            return LegOutcome(
                leg=self.leg,
                status="failed",
                reason=f"Unexpected {type(error).__name__}: {error}. The worker's log has the details.",
            )

    def _retry_or_fail(self, error: TransientError) -> LegOutcome:
        if has_tries_left(self):
            try_later(self, error)
        tries = self.request.retries + 1
        return LegOutcome(leg=self.leg, status="failed", reason=f"{error} It was tried {tries} times.")

    def _failed(self, reason: str) -> dict[str, Any]:
        return LegOutcome(leg=self.leg, status="failed", reason=reason).to_message()

    def _skipped(self, reason: str) -> LegOutcome:
        return LegOutcome(leg=self.leg, status="skipped", reason=reason)

    def _publish(self, progress: dict[str, float | str]) -> None:
        self.update_state(state="PROGRESS", meta=progress)
