"""Whose a lease is, and who is on the worker registry: by processes that are really there, and with a real Valkey."""

import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from pipeline.state.lease import Lease
from pipeline.state.redis import connect
from pipeline.state.worker_registry import MISSED_HEARTBEATS, WORKER_VARIABLE, Worker, WorkerRegistry, worker_key
from tests.services import start_valkey

TASK = "job.whisper.1"


@pytest.fixture
def registry(tmp_path: Path) -> Iterator[WorkerRegistry]:
    with start_valkey(tmp_path) as url, connect(url) as client:
        yield WorkerRegistry(client)


@pytest.fixture
def process() -> Iterator["subprocess.Popen[bytes]"]:
    """A process of some worker, which does nothing."""
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as process:
        yield process
        process.kill()


def worker_on(machine: str, pid: int, name: str = "whisper@gpu") -> Worker:
    return replace(Worker.here(name), place=machine, pid=pid)


def lease_of(registry: WorkerRegistry, worker: Worker, pid: int, monkeypatch: pytest.MonkeyPatch) -> Lease:
    """Return the lease of the task as a process of a worker has it."""
    with monkeypatch.context() as patch:
        patch.setenv(WORKER_VARIABLE, worker.id)
        patch.setattr(os, "getpid", lambda: pid)
        return Lease(registry.redis, TASK)


def test_the_lease_of_a_process_that_was_killed_is_free_although_its_worker_lives(
    registry: WorkerRegistry, process: "subprocess.Popen[bytes]", monkeypatch: pytest.MonkeyPatch
) -> None:
    # Given workers on two machines, and a leg at work in a process of the first
    one, two = worker_on("one", os.getpid()), worker_on("two", os.getpid())
    for worker in (one, two):
        registry.heartbeat(worker)
    assert lease_of(registry, one, process.pid, monkeypatch).acquire()
    other = lease_of(registry, two, os.getpid(), monkeypatch)
    assert registry.release_dead(one) == 0
    assert not other.acquire()

    # When that process is killed, and its worker says that it is there
    process.kill()
    process.wait()
    registry.heartbeat(one)
    assert registry.release_dead(one) == 1

    # Then the other machine has the leg, and knows that it was lost
    assert other.acquire()
    assert other.was_left_behind


def test_a_process_that_lost_its_lease_while_it_stood_still_finds_it_gone(
    registry: WorkerRegistry, process: "subprocess.Popen[bytes]", monkeypatch: pytest.MonkeyPatch
) -> None:
    # Given a leg whose worker has not been heard for too many looks
    one, two = worker_on("one", os.getpid()), worker_on("two", os.getpid())
    registry.heartbeat(one)
    registry.heartbeat(two)
    frozen = lease_of(registry, one, process.pid, monkeypatch)
    assert frozen.acquire()
    assert frozen.is_held()
    registry.redis.hset(worker_key(one.id), "missed", MISSED_HEARTBEATS)

    # When another machine has taken it, and the first is heard again
    other = lease_of(registry, two, os.getpid(), monkeypatch)
    assert other.acquire()
    registry.heartbeat(one)

    # Then it is the other one's alone
    assert not frozen.is_held()
    frozen.release()
    assert other.is_held()


def test_a_lease_that_the_broker_forgot_is_held_again(
    registry: WorkerRegistry, process: "subprocess.Popen[bytes]", monkeypatch: pytest.MonkeyPatch
) -> None:
    one, two = worker_on("one", os.getpid()), worker_on("two", os.getpid())
    lease = lease_of(registry, one, process.pid, monkeypatch)
    assert lease.acquire()

    registry.redis.flushall()
    for worker in (one, two):
        registry.heartbeat(worker)

    assert lease.is_held()
    assert not lease_of(registry, two, os.getpid(), monkeypatch).acquire()


def test_a_worker_that_was_just_heard_is_not_dead_for_want_of_a_process_of_its_number(
    registry: WorkerRegistry, process: "subprocess.Popen[bytes]"
) -> None:
    # Given a worker that seems to be of this machine (a copy of it, say), and no process of its number here
    twin = replace(Worker.here("whisper@gpu"), pid=process.pid)
    process.kill()
    process.wait()
    assert twin.is_known_dead

    # When it says between the looks that it is there, then it is
    for _ in range(2 * MISSED_HEARTBEATS):
        registry.heartbeat(twin)
        look_at_once(registry)
        assert registry.lost() == []

    # When it is silent, then it is given up sooner than one whose process cannot be looked for
    look_at_once(registry)
    assert registry.lost() == [twin]


def test_machines_of_one_name_are_told_apart_by_what_their_kernel_drew(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    here = Worker.here("whisper@gpu").place
    other = tmp_path / "boot_id"
    other.write_text("00000000-0000-4000-8000-000000000000\n")
    monkeypatch.setattr("pipeline.state.worker_registry.BOOT_ID", other)
    assert Worker.here("whisper@gpu").place != here


def look_at_once(registry: WorkerRegistry) -> None:
    """Look as if the time between two looks had passed."""
    registry.redis.delete("duet:workers:looked")
    registry.tick()
