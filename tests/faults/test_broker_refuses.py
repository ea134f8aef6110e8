"""The broker is there and refuses: its memory is full, or it has become a replica."""

from collections.abc import Callable
from typing import Any

import pytest

from pipeline import JobState
from pipeline.errors import BrokerError
from pipeline.types.pools import POOLS
from tests.faults.fleet import TIMEOUT_S, Fleet, is_consistent, wait_until, windows

pytestmark = pytest.mark.xdist_group("fleet")
REFUSES = "The broker rejects the request"


def fill(client: Any) -> None:
    client.config_set("maxmemory-policy", "noeviction")
    client.config_set("maxmemory", 1)


def empty(client: Any) -> None:
    client.config_set("maxmemory", 0)


def demote(client: Any) -> None:
    client.replicaof("127.0.0.1", 1)  # nobody is there, so it keeps what it has


def promote(client: Any) -> None:
    client.replicaof("NO", "ONE")


KINDS = pytest.mark.parametrize(
    ("begin", "end", "said"),
    [(fill, empty, r"its memory is full \(OOM\)"), (demote, promote, r"it is a replica .*READONLY")],
    ids=["full", "replica"],
)
Change = Callable[[Any], None]


@KINDS
def test_a_client_is_told_in_a_sentence(fleet: Fleet, begin: Change, end: Change, said: str) -> None:
    begin(fleet.redis())
    try:
        with pytest.raises(BrokerError, match=f"The broker at .* refuses: {said}"):
            fleet.submit(f"refused-{begin.__name__}")
    finally:
        end(fleet.redis())

    assert fleet.submit(f"refused-{begin.__name__}").result(timeout=TIMEOUT_S).state is JobState.COMPLETED


@KINDS
def test_workers_wait_until_it_takes_something_again(fleet: Fleet, begin: Change, end: Change, said: str) -> None:
    # Given an episode at work in both pools and others that wait
    name = f"waits-{begin.__name__}"
    holds = [fleet.stage.hold(f"{leg}.{name}.1") for leg in ("whisper", "voxtral")]
    job = fleet.submit(name)
    others = [fleet.submit(f"{name}-behind-{number}") for number in range(5)]
    for leg in ("whisper", "voxtral"):
        wait_until(lambda leg=leg: windows(fleet.stage, leg, name) == [0, 1], f"{leg} is at its second window")
    pids = {name: process.pid for name, process in fleet.processes.items()}

    # When the broker refuses until legs have noticed it, and one has come to its end meanwhile
    begin(fleet.redis())
    for hold in holds:
        hold.unlink()
    wait_until(
        lambda: all("refuses" in fleet.processes[it].log.read_text() for it in ("whisper", "voxtral")), "noticed"
    )
    end(fleet.redis())

    # Then the same workers go on, all end, and what was done is not done again
    assert [it.result(timeout=TIMEOUT_S).state for it in (job, *others)] == [JobState.COMPLETED] * 6, fleet.logs()
    assert windows(fleet.stage, "whisper", name) == [0, 1, 2]
    assert all(map(is_consistent, (job, *others)))
    alive = {name: process.pid for name, process in fleet.processes.items() if process.is_running}
    assert {name: alive.get(name) for name in (*POOLS, "beat")} == {name: pids[name] for name in (*POOLS, "beat")}


@KINDS
def test_idle_workers_outlive_it_and_lose_nothing(fleet: Fleet, begin: Change, end: Change, said: str) -> None:
    # Given workers that wait for something to do, and a broker that refuses
    pids = {name: process.pid for name, process in fleet.processes.items() if name in POOLS}
    begin(fleet.redis())
    if begin is demote:  # only who takes something from a full memory notices
        wait_until(lambda: all(REFUSES in fleet.processes[it].log.read_text() for it in POOLS), "all have noticed it")
    end(fleet.redis())

    # When something is sent
    job = fleet.submit(f"later-{begin.__name__}")

    # Then they take it
    assert job.result(timeout=TIMEOUT_S).state is JobState.COMPLETED, fleet.logs()
    assert {
        name: process.pid for name, process in fleet.processes.items() if process.is_running and name in POOLS
    } == pids
