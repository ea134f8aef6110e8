"""A worker is told to stop while it works: a deploy, or a machine that is about to be taken away."""

import signal

import pytest

from pipeline import JobState
from tests.faults.fleet import TIMEOUT_S, Fleet, is_consistent, wait_until, windows

pytestmark = pytest.mark.xdist_group("fleet")


@pytest.mark.parametrize("pool", ["whisper", "voxtral"])
def test_a_leg_whose_worker_is_told_to_stop_goes_on_elsewhere_where_it_was(fleet: Fleet, pool: str) -> None:
    # Given an episode at work
    stem = f"deploy-{pool}"
    hold = fleet.stage.hold(f"{pool}.{stem}.2")
    job = fleet.submit(stem)
    wait_until(lambda: windows(fleet.stage, pool, stem) == [0, 1, 2], "it is at its third window")

    # When its worker is told to stop, and another one is there
    old = fleet.processes[pool]
    old.send(signal.SIGTERM)
    assert old.wait() == 0
    fleet.start_worker(pool)
    hold.unlink()

    # Then it goes on there with the window at which it was stopped
    assert job.result(timeout=TIMEOUT_S).state is JobState.COMPLETED
    assert windows(fleet.stage, pool, stem) == [0, 1, 2, 2]
    assert is_consistent(job)


def test_a_leg_that_does_not_listen_is_put_back_when_the_grace_is_over(fleet: Fleet) -> None:
    # Given a worker at work that does not hear for a long time
    fleet.processes["whisper"].kill()
    deaf = fleet.start_worker("whisper", "deaf", DUET_STOP_GRACE_S="0.5", FAST_WINDOW_S="30")
    job = fleet.submit("deaf")
    wait_until(lambda: windows(fleet.stage, "whisper", "deaf") == [0], "it is at work")

    # When it is told to stop
    deaf.send(signal.SIGTERM)
    deaf.wait()
    fleet.start_worker("whisper")

    # Then another one does it, and it does not count as an episode that kills its worker
    assert job.result(timeout=TIMEOUT_S).state is JobState.COMPLETED
    assert windows(fleet.stage, "whisper", "deaf") == [0, 0, 1, 2]
