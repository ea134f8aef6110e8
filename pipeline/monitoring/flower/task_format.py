"""The display of a task in Flower: `transcribe · ep-042.mp3 · 00:42:10`, its progress, its end."""

import ast
import re
from pathlib import PurePosixPath
from typing import Any
from urllib.parse import unquote, urlsplit

from pipeline.types.status import JobStatus
from pipeline.types.time_format import clock_time

PROGRESS_EVENT = "task-progress"
"""Event type of a leg's progress; Celery derives the task state PROGRESS from it."""
PROGRESS, PARTIAL, SUCCESS = "PROGRESS", "PARTIAL", "SUCCESS"
LEG_NAMES: dict[str, str] = {"whisper": "Whisper", "voxtral": "Voxtral", "speakers": "Speakers"}
SPOKEN = ("skipped", JobStatus.PARTIAL, JobStatus.CANCELLED)
"""Ends that are neither success nor failure; they replace Celery's state."""
_SOURCE = re.compile(r"'source': '((?:[^'\\]|\\.)*)'")


def progress_result(done_s: float, total_s: float) -> str:
    """Return the progress as the result field of a task's event, the only free field that Flower stores."""
    return repr({"done_s": done_s, "total_s": total_s})


def format_task(task: Any) -> Any:
    """Return Flower's copy of a task with readable fields.

    Args:
        task: a `celery.events.state.Task`; `args` is the episode's source, as the canvas sets it, or the `repr` of the
            message if Celery itself has sent the task again.
    """
    if not (task.name or "").startswith("tasks."):
        return task
    result = _parse_result(task.result)
    source = _source(task.args or "")
    length_s = result.get("total_s") or result.get("audio_s")
    parts = [task.name.removeprefix("tasks."), _title(source), clock_time(length_s) if length_s else ""]
    task.name = " · ".join(filter(None, parts))
    task.args = source
    if task.state == PROGRESS and length_s:
        done_s = result.get("done_s", 0.0)
        task.state = f"{100 * done_s / length_s:.0f} %"
        task.result = f"{clock_time(done_s)} of {clock_time(length_s)}"
    elif task.state == PROGRESS:
        task.state, task.result = "STARTED", None  # the episode's length is not known yet
    elif result:
        task.result = _format_result(result)
        ended = result.get("status") or result.get("state")
        task.state = ended if ended in SPOKEN and task.state in (SUCCESS, PARTIAL) else task.state
    return task


def _source(args: str) -> str:
    found = _SOURCE.search(args)
    return found[1] if found else args


def _title(source: str) -> str:
    path = urlsplit(source).path if "://" in source else source
    return unquote(PurePosixPath(path).name)


def _parse_result(result: object) -> dict[str, Any]:
    """Return the result that Celery's event contains as a `repr`, or an empty dict if it was truncated."""
    try:
        value = ast.literal_eval(result) if isinstance(result, str) else None
    except (ValueError, SyntaxError):
        return {}
    return value if isinstance(value, dict) else {}


def _format_result(result: dict[str, Any]) -> str:
    head = str(result.get("status") or result.get("state") or "")
    told = " · ".join(_leg(LEG_NAMES.get(leg, leg), it) for leg, it in (result.get("legs") or {}).items())
    if reason := (head == "skipped" and result.get("short")) or result.get("reason"):
        return " · ".join(filter(None, [f"{head}: {reason}", told]))
    if flaws := result.get("flaws"):
        return f"{head}: {' '.join(flaws)}"
    if result.get("reused"):
        return f"{head}, done before"
    if work_s := result.get("work_s"):
        return f"{head} in {work_s:.1f} s, {result.get('model')} on {result.get('device')}"
    return " · ".join(filter(None, [head, told, result.get("uri")]))


def _leg(name: str, told: dict[str, Any]) -> str:
    """Return the end of one leg beside its merge: `Whisper 41.5 s`, `Voxtral skipped (no GPU here)`."""
    if told["status"] == "ok":
        return f"{name} {told['work_s']:.1f} s"
    return f"{name} {told['status']}" + (f" ({told['short']})" if told["short"] else "")
