"""A clock that stands still: its own healthcheck says so."""

import socket

import pytest

from pipeline.monitoring.doctor import Status, examine
from pipeline.monitoring.doctor.client import probes
from tests.faults.fleet import Fleet, wait_until

pytestmark = pytest.mark.xdist_group("fleet")


def status() -> Status:
    (probe,) = [probe for probe in probes(host=socket.gethostname()) if probe.name == "beat"]
    return next(examine([probe])).status


def forget_marks(fleet: Fleet) -> None:
    with fleet.redis() as client:
        client.delete(*client.keys("duet:clock:mark*"))


def test_a_clock_that_hangs_is_found_out_although_its_process_is_there(fleet: Fleet) -> None:
    # Given a clock that goes: a mark that is lost comes again
    clock = fleet.processes["beat"]
    wait_until(lambda: status() is Status.OK, "the clock goes")
    forget_marks(fleet)
    wait_until(lambda: status() is Status.OK, "the clock leaves another mark")

    # When it stands still and its last mark runs out
    clock.freeze()
    try:
        # Then it fails, process or no process
        def is_missed() -> bool:
            forget_marks(fleet)  # a mark may have been on its way
            return status() is Status.FAILED

        wait_until(is_missed, "it is missed")
        assert clock.is_running
        assert status() is Status.FAILED, "no mark has come since"
    finally:
        clock.thaw()

    # And when it goes on, it is healthy again
    wait_until(lambda: status() is Status.OK, "the clock goes on")
