"""Forgetting what the workers have not heard of yet: nothing of it comes back."""

import pytest

from pipeline.client.retention.removal import Remover
from pipeline.state.job_store import JobStore
from pipeline.storage.file import FileStorage
from tests.faults.fleet import Fleet, runs, wait_until

pytestmark = pytest.mark.xdist_group("fleet")


def test_a_job_that_was_forgotten_while_its_messages_waited_writes_nothing(fleet: Fleet) -> None:
    # Given a job that waits behind another one, and is cancelled and forgotten meanwhile
    holds = [fleet.stage.hold(f"{leg}.forget-ahead.0") for leg in ("whisper", "voxtral")]
    ahead = fleet.submit("forget-ahead")
    for leg in ("whisper", "voxtral"):
        wait_until(lambda leg=leg: runs(fleet.stage, leg, "forget-ahead"), f"{leg} is at work")
    job = fleet.submit("forgotten")
    job.cancel()
    eraser = Remover(JobStore())
    eraser.erase(eraser.of_job(job.id))

    # When the workers come to its messages
    for hold in holds:
        hold.unlink()
    ahead.result(timeout=60)
    wait_until(lambda: not any(job.id in it for it in fleet.messages()), "its messages are gone")

    # Then there is nothing of it, in storage or in the job store
    assert [it for it in FileStorage(fleet.results).folders() if it.startswith("forgotten-")] == []
    assert JobStore().get(job.id) is None
    assert runs(fleet.stage, "whisper", "forgotten") == []
    left = [key for key in fleet.redis().keys("*") if job.id in key]
    assert all(fleet.redis().ttl(key) > 0 for key in left), left
