"""Processes are killed, at points that are not left to chance."""

import pytest

from pipeline import JobState
from pipeline.errors import JobFailedError
from pipeline.state.worker_registry import WorkerRegistry, worker_key
from tasks.base.leg_run import MAX_LOSSES
from tests.faults.fleet import TIMEOUT_S, Fleet, is_consistent, runs, wait_until, windows

pytestmark = pytest.mark.xdist_group("fleet")


def test_a_killed_child_loses_only_the_window_it_was_at(fleet: Fleet) -> None:
    fleet.stage.die("whisper.child.1", "once")

    result = fleet.submit("child").result(timeout=TIMEOUT_S)

    assert result.state is JobState.COMPLETED
    assert windows(fleet.stage, "whisper", "child") == [0, 1, 1, 2]


@pytest.mark.parametrize("pool", ["whisper", "voxtral"])
def test_the_work_of_a_worker_lost_without_a_word_goes_on_elsewhere(fleet: Fleet, pool: str) -> None:
    # Given two workers of a pool, and an episode at which the one that takes it is lost with all its processes
    fleet.start_worker(pool, f"{pool}-second")
    fleet.wait_for_workers(pool, f"{pool}-second")
    fleet.stage.die(f"{pool}.lost-{pool}.1", "worker")

    # When it has died
    job = fleet.submit(f"lost-{pool}")

    # Then the other one goes on where it was, and no visibility timeout had to pass
    assert job.result(timeout=TIMEOUT_S).state is JobState.COMPLETED
    assert windows(fleet.stage, pool, f"lost-{pool}") == [0, 1, 1, 2]


def test_the_work_of_another_machine_that_is_lost_goes_on_here(fleet: Fleet) -> None:
    # Given a worker of another machine, at work
    hold = fleet.stage.hold("whisper.far.1")
    far = fleet.processes["whisper"]
    job = fleet.submit("far")
    wait_until(lambda: windows(fleet.stage, "whisper", "far") == [0, 1], "it is at its second window")
    far.freeze()
    for worker in WorkerRegistry(fleet.redis()).all():
        if worker.pid == far.pid:
            fleet.redis().hset(worker_key(worker.id), "place", "another machine")

    # When that machine is gone, and nobody here can see whether its processes are
    far.kill()
    hold.unlink()
    fleet.start_worker("whisper", "whisper-here")

    # Then its silence is noticed, and its work goes on here
    assert job.result(timeout=TIMEOUT_S).state is JobState.COMPLETED
    assert windows(fleet.stage, "whisper", "far") == [0, 1, 1, 2]


def test_a_child_that_dies_before_its_outcome_is_counted_does_not_keep_the_job_open(fleet: Fleet) -> None:
    # Given a leg whose process dies after its outcome was stored and before the chord has counted it
    episode = fleet.submit("uncounted", force=True).spec  # to know its task id
    fleet.stage.die(f"count.{episode.job}.whisper.2", "once")

    # When the episode is done again
    job = fleet.submit("uncounted", force=True)

    # Then the sweeper sends the callback
    assert job.result(timeout=TIMEOUT_S).state is JobState.COMPLETED
    assert "waits for merge" in fleet.processes["cpu"].log.read_text()
    assert is_consistent(job)


def test_an_episode_that_uses_up_all_memory_ends_with_a_reason_and_its_neighbours_go_on(fleet: Fleet) -> None:
    fleet.stage.die("voxtral.hog.0", "hog")
    hog = fleet.submit("hog")
    neighbour = fleet.submit("neighbour")

    assert neighbour.result(timeout=TIMEOUT_S).state is JobState.COMPLETED
    result = hog.result(timeout=TIMEOUT_S)

    assert result.state is JobState.PARTIAL
    assert "ended before it was done, 4 times in a row" in result.reason
    assert len(runs(fleet.stage, "voxtral", "hog")) == 4


def test_a_merge_that_takes_its_worker_with_it_every_time_ends_with_a_reason(fleet: Fleet) -> None:
    # Given an episode whose merge ends the whole worker
    fleet.stage.die("manifest.doomed", "workers")
    job = fleet.submit("doomed")
    worker = fleet.processes["cpu"]

    # When a supervisor starts the worker again each time, and nobody else steps in
    for _ in range(MAX_LOSSES):
        wait_until(lambda: not worker.is_running, "the merge has ended the worker")
        worker.start()
    wait_until(lambda: job.state.is_final, "the job has ended")

    # Then it is not tried for ever
    assert job.state is JobState.FAILED
    with pytest.raises(JobFailedError, match="ended before it was done, 4 times in a row"):
        job.result(timeout=TIMEOUT_S)
