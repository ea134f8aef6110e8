"""Nothing is done twice at once, whoever asks for it twice."""

import multiprocessing
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from itertools import repeat
from pathlib import Path

import pytest

from pipeline import JobState, submit
from pipeline.messaging import chord
from pipeline.messaging.requeue import requeue
from pipeline.state.job_store import JobStore
from pipeline.state.worker_registry import WorkerRegistry
from tests.faults.fleet import TIMEOUT_S, Fleet, is_consistent, log_lines, runs, wait_until, windows

pytestmark = pytest.mark.xdist_group("fleet")
PROCESSES, THREADS = 5, 10


def submit_from_many_threads(audio: Path, to: Path) -> list[tuple[str, int]]:
    with ThreadPoolExecutor(THREADS) as threads:
        jobs = list(threads.map(submit, repeat(audio, THREADS), repeat(to)))
    return [(job.id, job.spec.attempt) for job in jobs]


def test_fifty_submits_from_several_processes_are_one_run(fleet: Fleet) -> None:
    audio = fleet.audio("fifty")

    with ProcessPoolExecutor(PROCESSES, multiprocessing.get_context("spawn")) as processes:
        asked = list(processes.map(submit_from_many_threads, repeat(audio, PROCESSES), repeat(fleet.results)))

    told = [it for answers in asked for it in answers]
    job = submit(audio, to=fleet.results)
    assert job.result(timeout=TIMEOUT_S).state is JobState.COMPLETED
    assert told == [(job.id, 1)] * PROCESSES * THREADS
    assert len(runs(fleet.stage, "whisper", "fifty")) == 1
    assert len(runs(fleet.stage, "voxtral", "fifty")) == 1


def test_a_leg_whose_message_comes_back_while_it_runs_is_not_run_twice_at_once(fleet: Fleet) -> None:
    # Given two workers, and a leg at work in one of them
    fleet.start_worker("whisper", "whisper-second")
    fleet.wait_for_workers("whisper-second")
    hold = fleet.stage.hold("whisper.long.1")
    job = fleet.submit("long")
    wait_until(lambda: windows(fleet.stage, "whisper", "long") == [0, 1], "it is at its second window")

    # When its message is put back, as the visibility timeout does with one that takes long, and a copy is sent
    registry = WorkerRegistry(fleet.redis())
    assert sum(requeue(fleet.url, worker) for worker in registry.all()) >= 1
    chord.send_leg(job.spec, "whisper")
    wait_until(lambda: sent_back(fleet, job.spec.task_id("whisper")) >= 2, "the copies were sent back")
    hold.unlink()

    # Then it has been run once
    assert job.result(timeout=TIMEOUT_S).state is JobState.COMPLETED
    assert len(runs(fleet.stage, "whisper", "long")) == 1


def test_a_worker_that_was_given_up_too_early_leaves_its_leg_to_the_other_one(fleet: Fleet) -> None:
    # Given two workers, one of which is at work and then stands still, with all its processes
    second = fleet.start_worker("whisper", "whisper-second")
    fleet.wait_for_workers("whisper-second")
    hold = fleet.stage.hold("whisper.frozen.1")
    job = fleet.submit("frozen")
    wait_until(lambda: windows(fleet.stage, "whisper", "frozen") == [0, 1], "it is at its second window")
    at_work = fleet.worker_of([it["pid"] for it in fleet.stage.journal() if it["leg"] == "whisper"][-1])
    at_work.freeze()

    # When it is given up, and the other one has begun, and it wakes up
    wait_until(lambda: len(runs(fleet.stage, "whisper", "frozen")) == 2, "the other one has begun")
    at_work.thaw()
    wait_until(lambda: has_ended(fleet, "frozen"), "the first one has stopped")
    hold.unlink()

    # Then the other one ends the job, and the first has left it alone
    assert job.result(timeout=TIMEOUT_S).state is JobState.COMPLETED
    assert is_consistent(job)
    assert second.is_running
    assert windows(fleet.stage, "whisper", "frozen") == [0, 1, 1, 2]


def test_a_merge_that_comes_again_changes_nothing(fleet: Fleet) -> None:
    job = fleet.submit("merged")
    before = job.result(timeout=TIMEOUT_S)
    record = JobStore().get(job.id)
    assert record is not None

    chord.send_merge(job.spec, list(before.legs.values()))
    chord.send_rescue(job.spec)
    wait_until(lambda: not fleet.messages(), "both are done")

    assert job.result(timeout=0) == before
    assert JobStore().get(job.id) == record


def sent_back(fleet: Fleet, task_id: str) -> int:
    workers = [process for name, process in fleet.processes.items() if name.startswith("whisper")]
    lines = [line for worker in workers for line in log_lines(worker)]
    return sum(line["event"] == "ignored" and "{job}.{leg}.{attempt}".format(**line) == task_id for line in lines)


def has_ended(fleet: Fleet, stem: str) -> bool:
    """Whether the process that was first at the fast leg has left it."""
    lines = [it for it in fleet.stage.journal() if (it["leg"], it["stem"]) == ("whisper", stem)]
    first = next(it["pid"] for it in lines if it["event"] == "begin")
    return any((it["event"], it["pid"]) == ("end", first) for it in lines)


def test_two_clocks_do_no_more_than_one(fleet: Fleet) -> None:
    fleet.start_clock("second-beat")
    jobs = [fleet.submit(f"clocks-{number}") for number in range(5)]

    assert [job.result(timeout=TIMEOUT_S).state for job in jobs] == [JobState.COMPLETED] * 5
    assert all(len(runs(fleet.stage, "whisper", f"clocks-{number}")) == 1 for number in range(5))
