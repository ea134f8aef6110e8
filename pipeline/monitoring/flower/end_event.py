"""The event of a task's end: an outcome that failed counts as failed, although it is a value and not an exception."""

import re

FAILED_EVENT, PARTIAL_EVENT = "task-failed", "task-partial"
_EVENTS = {"failed": FAILED_EVENT, "partial": PARTIAL_EVENT}
_ENDED_AS = re.compile(r"'(?:status|state)': '(\w+)'")


def end_event(result: str) -> str:
    """Return the event type for the end of a task that raised nothing.

    Celery derives the task states FAILURE and PARTIAL from the events; the result backend has SUCCESS all the same, so
    the chord goes on.

    Args:
        result: the `repr` of what the task returned; it may be truncated, and its first state or status counts.
    """
    found = _ENDED_AS.search(result)
    return _EVENTS.get(found[1] if found else "", "task-succeeded")
