"""The accounting of a soak finds what it is there to find."""

from typing import Any

from tests.faults.accounting import worked_after_they_were_saved, worked_by_one_that_was_superseded


def line(event: str, pid: int, window: int = 0) -> dict[str, Any]:
    return {"event": event, "leg": "whisper", "stem": "it", "window": window, "pid": pid}


def test_a_window_that_was_lost_with_its_process_is_no_duplicate() -> None:
    journal = [line("begin", 1), line("window", 1), line("begin", 2), line("window", 2), line("saved", 2)]

    assert worked_after_they_were_saved(journal) == 0
    assert worked_by_one_that_was_superseded(journal) == 0


def test_work_on_what_is_saved_is_a_duplicate() -> None:
    journal = [line("begin", 1), line("window", 1), line("saved", 1), line("begin", 2), line("window", 2)]

    assert worked_after_they_were_saved(journal) == 1


def test_work_beside_a_newer_run_is_a_duplicate() -> None:
    journal = [line("begin", 1), line("window", 1), line("begin", 2), line("window", 2), line("window", 1, 1)]

    assert worked_by_one_that_was_superseded(journal) == 1
