"""A pool's process is killed while it works on an episode."""

import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from pipeline import Job, submit
from pipeline.state.job_store import JobStore
from pipeline.state.pool_status import ready_pools
from tests.duet import POLL_S, TIMEOUT_S, Duet

pytestmark = pytest.mark.xdist_group("faults")


@pytest.fixture(scope="module")
def up(tmp_path_factory: pytest.TempPathFactory, cache: Path) -> Iterator[Duet]:
    duet = Duet(tmp_path_factory.mktemp("faults"), cache)
    with duet.up():
        yield duet


def process_at_work(job: Job, known: set[float]) -> psutil.Process | None:
    """Return the whisper pool's child once it has begun the job anew; None when the job has ended."""
    deadline = time.monotonic() + TIMEOUT_S
    while time.monotonic() < deadline:
        record = JobStore().get(job.id)
        assert record is not None
        if record.state.is_final:
            return None
        started_at = record.legs["whisper"].started_at
        if started_at and started_at not in known:
            known.add(started_at)
            return psutil.Process(int(ready_pools()["whisper"]["pid"]))
        time.sleep(POLL_S)
    raise AssertionError("the leg did not begin")


def test_an_episode_survives_the_loss_of_its_process(up: Duet, episodes: dict[str, Path], tmp_path: Path) -> None:
    # Given an episode at work
    job = submit(episodes["garden-hour"], to=tmp_path)

    # When the process is killed that works on it
    process = process_at_work(job, set())
    assert process is not None
    process.kill()

    # Then another one does it, and nobody has to ask
    result = job.result(timeout=TIMEOUT_S)
    assert result.legs["whisper"].status == "ok"
    assert "garden" in result.text


def test_a_worker_that_is_lost_as_a_whole_is_started_again(up: Duet, episodes: dict[str, Path], tmp_path: Path) -> None:
    # Given an episode at work
    job = submit(episodes["corner-shop"], to=tmp_path)
    child = process_at_work(job, set())
    assert child is not None

    # When the whole worker is killed: its parent and its child at once
    for process in [child.parent(), child]:
        assert process is not None
        process.kill()

    # Then a new one takes the message up at once, not after the visibility timeout
    assert job.result(timeout=TIMEOUT_S).legs["whisper"].status == "ok"


def test_a_client_outlives_its_broker(tmp_path: Path, cache: Path, episodes: dict[str, Path]) -> None:
    # Given a client that has submitted to one stack, which is no more
    (tmp_path / "one").mkdir()
    (tmp_path / "two").mkdir()
    with Duet(tmp_path / "one", cache).up():
        submit(episodes["corner-shop"], to=tmp_path / "results").cancel()

    # When there is another stack at another address
    with Duet(tmp_path / "two", cache).up():
        job = submit(episodes["corner-shop"], to=tmp_path / "results")

        # Then the same process can submit to that one
        assert job.result(timeout=TIMEOUT_S).legs["whisper"].status == "ok"
