"""A pool's process is killed on one of two machines: its leg goes to whoever is free, not back to its own worker."""

from collections.abc import Iterator

import psutil
import pytest

from pipeline import JobState
from tests.faults.engines import MACHINE_VARIABLE
from tests.faults.fleet import TIMEOUT_S, Fleet, Process, wait_until, windows

pytestmark = pytest.mark.xdist_group("fleet")
MACHINES = ("one", "two")


@pytest.fixture
def machines(fleet: Fleet) -> Iterator[dict[str, Process]]:
    """A whisper worker on each of two machines, and no other."""
    fleet.processes["whisper"].kill()
    started = {name: fleet.start_worker("whisper", name, **{MACHINE_VARIABLE: name}) for name in MACHINES}
    fleet.wait_for_workers(*MACHINES)
    yield started
    for flag in fleet.stage.folder.glob("hold-*"):
        flag.unlink()


def test_a_leg_whose_process_was_killed_goes_to_another_machine_that_is_free(
    fleet: Fleet, machines: dict[str, Process]
) -> None:
    # Given an episode at work on one of two machines
    fleet.stage.hold("whisper.oom.1")
    job = fleet.submit("oom")
    wait_until(lambda: windows(fleet.stage, "whisper", "oom") == [0, 1], "it is at its second window")
    here = machine_at_work(fleet, machines, "oom")

    # When its process is killed for the memory it takes, and its successor takes long to load
    fleet.stage.hold(f"load.{here}")
    psutil.Process(pid_at_work(fleet, "oom")).kill()
    (fleet.stage.folder / "hold-whisper.oom.1").unlink()

    # Then the other machine goes on where it was, although the first one's worker is alive
    assert job.result(timeout=TIMEOUT_S).state is JobState.COMPLETED
    assert machine_at_work(fleet, machines, "oom") != here
    assert windows(fleet.stage, "whisper", "oom") == [0, 1, 1, 2]
    assert machines[here].is_running


def test_a_leg_whose_process_was_killed_is_the_next_although_others_wait(
    fleet: Fleet, machines: dict[str, Process]
) -> None:
    # Given an episode at work on each of two machines, and more that wait
    holds = [fleet.stage.hold(f"whisper.{stem}.1") for stem in ("killed", "busy")]
    jobs = []
    for stem in ("killed", "busy"):
        jobs.append(fleet.submit(stem))
        wait_until(lambda stem=stem: windows(fleet.stage, "whisper", stem) == [0, 1], f"{stem} is at work")
    jobs += [fleet.submit(f"waiting-{number}") for number in range(3)]

    # When the process of the first is killed
    psutil.Process(pid_at_work(fleet, "killed")).kill()
    wait_until(lambda: begun(fleet)[2:], "the next has begun")
    for hold in holds:
        hold.unlink()

    # Then whoever is free goes on with it before anything else
    assert [job.result(timeout=TIMEOUT_S).state for job in jobs] == [JobState.COMPLETED] * 5
    assert begun(fleet)[:3] == ["killed", "busy", "killed"]
    assert windows(fleet.stage, "whisper", "killed") == [0, 1, 1, 2]


def begun(fleet: Fleet) -> list[str]:
    """Return the episodes of this test in the order in which their fast legs were begun."""
    lines = [it for it in fleet.stage.journal() if (it["event"], it["leg"]) == ("begin", "whisper")]
    return [it["stem"] for it in lines if it["stem"].startswith(("killed", "busy", "waiting"))]


def pid_at_work(fleet: Fleet, stem: str) -> int:
    """Return the process that was last at an episode's fast leg."""
    return int([it["pid"] for it in fleet.stage.journal() if (it["leg"], it["stem"]) == ("whisper", stem)][-1])


def machine_at_work(fleet: Fleet, machines: dict[str, Process], stem: str) -> str:
    worker = fleet.worker_of(pid_at_work(fleet, stem))
    return next(name for name, process in machines.items() if process is worker)
