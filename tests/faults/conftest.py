"""One fleet with fast engines for all fault tests; each finds it whole, and it ends with them."""

from collections.abc import Iterator

import pytest

from pipeline.types.pools import POOLS
from tests.faults.fleet import Fleet


@pytest.fixture(scope="package")
def shared_fleet(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Fleet]:
    fleet = Fleet(tmp_path_factory.mktemp("fleet"))
    try:
        fleet.start_all()
        yield fleet
    finally:
        fleet.stop()


@pytest.fixture
def fleet(shared_fleet: Fleet, request: pytest.FixtureRequest) -> Iterator[Fleet]:
    """The fleet with a broker, a worker of each pool and the clock; and this process its client."""
    fleet = shared_fleet
    dead = [name for name, process in fleet.processes.items() if not process.is_running]
    for name in dead:
        if name in (*POOLS, "valkey", "beat"):
            fleet.processes[name].start()
    for name in set(fleet.processes) - {*POOLS, "valkey", "beat"}:
        fleet.processes.pop(name).kill()
    if dead:
        fleet.wait_for_broker()
        fleet.wait_for_workers(*POOLS)
    for left in fleet.stage.folder.glob("*-*"):
        left.unlink()
    with fleet.client():
        yield fleet
