"""A spot machine is taken away: the platform says so some seconds before, and nothing is lost or done twice."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from pipeline import JobState
from tests.faults.accounting import worked_after_they_were_saved
from tests.faults.fleet import TIMEOUT_S, Fleet, is_consistent, wait_until, windows
from tests.metadata_server import MetadataServer, metadata_server

pytestmark = pytest.mark.xdist_group("fleet")

SOON = {"DUET_NOTICE_INTERVAL_S": "0.1"}


@pytest.fixture
def metadata() -> Iterator[MetadataServer]:
    with metadata_server() as server:
        yield server


@pytest.mark.parametrize("source", ["ec2", "file"])
def test_an_episode_goes_on_elsewhere_when_its_machine_is_about_to_be_taken_away(
    fleet: Fleet, metadata: MetadataServer, tmp_path: Path, source: str
) -> None:
    # Given an episode at work on a spot machine
    flag, stem = tmp_path / "drain", f"spot-{source}"
    fleet.processes["whisper"].kill()
    spot = fleet.start_worker(
        "whisper",
        "spot",
        DUET_NOTICE="ec2" if source == "ec2" else str(flag),
        AWS_EC2_METADATA_SERVICE_ENDPOINT=metadata.url,
        **SOON,
    )
    hold = fleet.stage.hold(f"whisper.{stem}.2")
    job = fleet.submit(stem)
    wait_until(lambda: windows(fleet.stage, "whisper", stem) == [0, 1, 2], "it is at its third window")

    # When notice is given, and another machine is there
    if source == "ec2":
        metadata.expired = True  # the token it has; it asks for another
        metadata.take_away_in(120)
    else:
        flag.touch()
    assert spot.wait() == 0
    fleet.start_worker("whisper")
    hold.unlink()

    # Then it goes on there at the window it was at, and the worker does not come back here
    assert job.result(timeout=TIMEOUT_S).state is JobState.COMPLETED
    assert windows(fleet.stage, "whisper", stem) == [0, 1, 2, 2]
    lines = [it for it in fleet.stage.journal() if it["stem"] == stem]  # other tests work twice with other options
    assert worked_after_they_were_saved(lines) == 0
    assert is_consistent(job)
    spot.start()
    assert spot.wait() == 0
    assert "The worker does not start." in spot.log.read_text()


def test_a_leg_that_does_not_listen_is_put_back_before_its_machine_is_gone(
    fleet: Fleet, metadata: MetadataServer
) -> None:
    # Given a leg that does not hear for longer than the machine is there
    fleet.processes["whisper"].kill()
    spot = fleet.start_worker(
        "whisper",
        "spot",
        DUET_NOTICE="ec2",
        AWS_EC2_METADATA_SERVICE_ENDPOINT=metadata.url,
        FAST_WINDOW_S="300",
        **SOON,
    )
    job = fleet.submit("spot-deaf")
    wait_until(lambda: windows(fleet.stage, "whisper", "spot-deaf") == [0], "it is at work")

    # When notice is given, then it is put back in time and another one does it
    metadata.take_away_in(11)
    spot.wait()
    fleet.start_worker("whisper")
    assert job.result(timeout=TIMEOUT_S).state is JobState.COMPLETED
    assert windows(fleet.stage, "whisper", "spot-deaf") == [0, 0, 1, 2]
