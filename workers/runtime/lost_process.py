"""Requests of tasks whose process was lost: other workers can resume such a task at once."""

from typing import Any

from billiard.einfo import ExceptionWithTraceback
from billiard.exceptions import WorkerLostError

from pipeline.messaging.app import PRIORITIES
from workers.runtime.heartbeat import release_dead_processes
from workers.runtime.outcome_request import OutcomeRequest


class LeasedRequest(OutcomeRequest):
    """A message of a task that runs under a lease."""

    def on_failure(self, exc_info: Any, send_failed_event: bool = True, return_ok: bool = False) -> Any:
        """If the process was lost, release its lease, then let Celery requeue the message with the highest priority.

        The task bounds the number of attempts (`LegRun.losses_in_a_row`).
        """
        error = exc_info.exception
        if isinstance(error, ExceptionWithTraceback):
            error = error.exc
        if isinstance(error, WorkerLostError | SystemExit):
            release_dead_processes()
            self._context.delivery_info["priority"] = PRIORITIES[0]
        return super().on_failure(exc_info, send_failed_event=send_failed_event, return_ok=return_ok)
