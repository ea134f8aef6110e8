"""Jobs are cancelled, at every point of their way."""

import pytest

from pipeline import Job, JobState, submit_folder
from pipeline.errors import CancelledError
from pipeline.results.manifest import MANIFEST
from pipeline.storage import open_storage
from tests.faults.fleet import TIMEOUT_S, Fleet, is_consistent, runs, wait_until, windows

pytestmark = pytest.mark.xdist_group("fleet")


def assert_cancelled(fleet: Fleet, job: Job) -> None:
    """Assert that a job is cancelled, in storage too, and that nothing works on it any more."""
    assert job.state is JobState.CANCELLED
    wait_until(lambda: is_consistent(job), "storage says so too")
    wait_until(lambda: not fleet.messages(), "no message is left")
    assert not job.cancel()
    with pytest.raises(CancelledError):
        job.result(timeout=0)


def test_a_job_that_waits_is_never_begun(fleet: Fleet) -> None:
    holds = [fleet.stage.hold(f"{leg}.leads.0") for leg in ("whisper", "voxtral")]
    leads = fleet.submit("leads")
    wait_until(lambda: runs(fleet.stage, "whisper", "leads") and runs(fleet.stage, "voxtral", "leads"), "it works")
    job = fleet.submit("waits")

    assert job.cancel()
    for hold in holds:
        hold.unlink()

    assert leads.result(timeout=TIMEOUT_S).state is JobState.COMPLETED
    assert_cancelled(fleet, job)
    assert runs(fleet.stage, "whisper", "waits") == []


def test_a_job_at_work_stops_within_a_second(fleet: Fleet) -> None:
    for leg in ("whisper", "voxtral"):
        fleet.stage.hold(f"{leg}.works.1")
    job = fleet.submit("works")
    wait_until(lambda: all(windows(fleet.stage, it, "works") == [0, 1] for it in ("whisper", "voxtral")), "it works")

    assert job.cancel()

    assert_cancelled(fleet, job)  # the holds are still there: the legs were not waited for
    assert windows(fleet.stage, "whisper", "works") == [0, 1]


def test_a_job_between_its_legs_keeps_its_transcript(fleet: Fleet) -> None:
    fleet.stage.hold("voxtral.between.1")
    job = fleet.submit("between")
    job.transcript(timeout=TIMEOUT_S)

    assert job.cancel()

    assert_cancelled(fleet, job)
    assert open_storage(job.uri).exists("transcript.json")


def test_a_batch_is_cancelled_as_a_whole(fleet: Fleet) -> None:
    fleet.stage.hold("whisper.batch-0.1")
    fleet.stage.hold("voxtral.batch-0.1")
    audio = [fleet.audio(f"batch-{number}") for number in range(8)]
    folder = fleet.folder / "batch"
    folder.mkdir()
    for path in audio:
        path.rename(folder / path.name)
    batch = submit_folder(folder, to=fleet.results)

    assert batch.cancel() == 8

    for job in batch:
        assert_cancelled(fleet, job)
    assert batch.cancel() == 0


def test_a_job_whose_end_is_being_written_ends_that_way(fleet: Fleet) -> None:
    # Given a job whose merge has begun to write
    hold = fleet.stage.hold("manifest.sealed")
    job = fleet.submit("sealed")
    wait_until(lambda: fleet.redis().hexists(f"duet:job:{job.id}", "sealed"), "its end is being written")

    # When it is cancelled now, then it is too late
    assert not job.cancel()
    hold.unlink()
    assert job.result(timeout=TIMEOUT_S).state is JobState.COMPLETED
    assert is_consistent(job)
    assert open_storage(job.uri).exists(MANIFEST)
