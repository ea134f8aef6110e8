"""Requests of tasks whose outcomes are values: monitors hear of a failed outcome as a failed task."""

from typing import Any

from celery.worker.request import Request

from pipeline.monitoring.flower.end_event import end_event


class OutcomeRequest(Request):  # type: ignore[misc]  # celery has no types
    """A message of a task that returns an outcome."""

    def send_event(self, type: str, **fields: Any) -> None:
        """Send an event about the task, the end of a failed or partial outcome by its own name."""
        super().send_event(end_event(str(fields.get("result"))) if type == "task-succeeded" else type, **fields)
