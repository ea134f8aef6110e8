"""One fleet with fast engines, and one server before it, for all tests of HTTP; they end with them."""

from collections.abc import Iterator

import pytest

from tests.faults.fleet import Fleet
from tests.http.server import Server, serve


@pytest.fixture(scope="package")
def fleet(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Fleet]:
    fleet = Fleet(tmp_path_factory.mktemp("http-fleet"))
    try:
        fleet.start_all()
        yield fleet
    finally:
        fleet.stop()


@pytest.fixture(scope="package")
def server(fleet: Fleet) -> Iterator[Server]:
    """A server on this machine, which needs no key."""
    with serve(fleet, fleet.results / "http") as running:
        yield running


@pytest.fixture
def unstaffed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server and a broker without workers, so that what was taken can be counted."""
    fleet = Fleet(tmp_path_factory.mktemp("many"))
    try:
        fleet.start_broker()
        with serve(fleet, fleet.results) as running:
            yield running
    finally:
        fleet.stop()
