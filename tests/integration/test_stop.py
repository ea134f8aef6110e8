"""What `duet run` leaves behind when it is stopped: nothing, sooner or later."""

import signal
import time
from pathlib import Path

import psutil
import pytest

from tests.duet import TRACEBACK, Duet, excerpt

pytestmark = pytest.mark.xdist_group("stop")
POLL_S = 0.05
UP_TIMEOUT_S = 60.0


def wait_for_pools(duet: Duet) -> list[psutil.Process]:
    """Return the processes of a run as soon as Valkey and all three pools are among them."""
    deadline = time.monotonic() + UP_TIMEOUT_S
    while time.monotonic() < deadline:
        logs = {log.stem for log in duet.state.glob("logs/*.log") if "ready." in log.read_text()}
        if logs == {"whisper", "voxtral", "cpu"}:
            return duet.processes()
        time.sleep(POLL_S)
    raise AssertionError("the pools did not come up")


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupted_run_stops_what_it_started(
    duet: Duet, episodes: dict[str, Path], tmp_path: Path, number: signal.Signals
) -> None:
    process = duet.start("run", episodes["garden-hour"], "--to", tmp_path / "out")
    wait_for_pools(duet)

    process.send_signal(number)
    _, err = process.communicate(timeout=UP_TIMEOUT_S)

    assert process.returncode == 130
    assert "Run the same command again to resume." in err
    assert TRACEBACK not in err
    assert duet.processes() == []


def test_what_a_killed_run_left_behind_is_ended_by_the_next_one(
    duet: Duet, episodes: dict[str, Path], tmp_path: Path
) -> None:
    # Given a run that was killed, with its pools and its Valkey still there
    clip = excerpt(episodes["corner-shop"], 6.0, tmp_path / "clip.wav")
    process = duet.start("run", episodes["garden-hour"], "--to", tmp_path / "out")
    orphans = [it for it in wait_for_pools(duet) if it.pid != process.pid]
    process.kill()
    process.communicate()
    assert len(orphans) >= 4

    # When there is another run
    done = duet("run", clip, "--to", tmp_path / "out", "--json")

    # Then it does its own work, and the orphans are gone
    assert done.code == 0, done.err
    assert [row["source"] for row in done.rows] == [str(clip)]
    assert not [orphan for orphan in orphans if orphan.is_running()]
    assert duet.processes() == []


def test_a_second_run_beside_the_first_is_refused_with_a_sentence(
    duet: Duet, episodes: dict[str, Path], tmp_path: Path
) -> None:
    process = duet.start("run", episodes["garden-hour"], "--to", tmp_path / "out")
    wait_for_pools(duet)

    second = duet("run", episodes["corner-shop"], "--to", tmp_path / "out")
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=UP_TIMEOUT_S)

    assert second.code == 1
    assert "Another Duet runs here already" in second.err


def test_duet_down_ends_duet_up_and_all_that_it_started(duet: Duet) -> None:
    process = duet.start("up")
    wait_for_pools(duet)

    down = duet("down")
    process.communicate(timeout=UP_TIMEOUT_S)

    assert (down.code, process.returncode) == (0, 0), down.err
    assert "Duet is down" in down.out
    assert duet.processes() == []
    assert duet("down").code == 1
