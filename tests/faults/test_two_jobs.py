"""Two jobs of one episode in one folder: each keeps what is its own, and none takes away what another left."""

from pathlib import Path

import pytest

from pipeline import Job, JobState
from pipeline.errors import CancelledError
from pipeline.results.manifest import MANIFEST, read_manifest
from pipeline.storage import open_storage
from pipeline.types import Options
from tests.faults.fleet import TIMEOUT_S, Fleet, is_consistent, wait_until, windows

pytestmark = pytest.mark.xdist_group("fleet")
TRANSLATED = Options(task="translate")


def public_files(job: Job) -> dict[str, bytes]:
    storage = open_storage(job.uri)
    return {name: storage.get(name) for name in storage.list() if not name.startswith(".work/")}


def has_ended(job: Job, fleet: Fleet) -> bool:
    """Whether nothing more happens to a job: its last task has told how it ended."""
    return job.state.is_final and not [it for it in fleet.messages() if it.startswith(job.id)]


def test_a_job_that_is_cancelled_leaves_the_results_of_another_as_they_are(fleet: Fleet) -> None:
    # Given an episode that is done
    done = fleet.submit("kept")
    done.result(timeout=TIMEOUT_S)
    before = public_files(done)

    # When somebody asks for it with other options, and cancels that when its fast leg has ended
    fleet.stage.hold("voxtral.kept.2")
    other = fleet.submit("kept", options=Options(language="en", questions=("Who pays?",)))
    other.transcript(timeout=TIMEOUT_S)
    assert other.cancel()
    wait_until(lambda: has_ended(other, fleet), "the cancelled job has ended")

    # Then everything is as it was
    assert public_files(done) == before
    assert done.result(timeout=0).state is JobState.COMPLETED
    with pytest.raises(CancelledError):
        other.result(timeout=0)


@pytest.mark.parametrize("how", ["cancelled", "failed"])
def test_a_forced_job_that_comes_to_nothing_leaves_its_older_result(fleet: Fleet, how: str) -> None:
    # Given an episode that is done
    name = f"forced-{how}"
    done = fleet.submit(name)
    done.result(timeout=TIMEOUT_S)
    before = public_files(done)

    # When it is to be done afresh, and that is cancelled or fails
    for leg in ("whisper", "voxtral"):
        if how == "failed":
            fleet.stage.die(f"{leg}.{name}.0", "fail")
        else:
            fleet.stage.hold(f"{leg}.{name}.0")
    again = fleet.submit(name, force=True)
    if how == "cancelled":
        assert again.cancel()
    wait_until(lambda: has_ended(again, fleet), "the forced job has ended")

    # Then the older result is there as it was, and the failed one is told as what it is
    assert again.state.value == how
    assert public_files(done) == before
    if how == "failed":
        assert again.result(timeout=0).state is JobState.FAILED
        assert is_consistent(again)


def test_two_jobs_at_once_do_not_mix(fleet: Fleet) -> None:
    # Given a job whose slow leg is at work, its transcript there
    hold = fleet.stage.hold("voxtral.mixed.1")
    first = fleet.submit("mixed")
    first.transcript(timeout=TIMEOUT_S)

    # When another one translates the same episode into the same folder
    second = fleet.submit("mixed", options=TRANSLATED)
    assert "Translated" in second.transcript(timeout=TIMEOUT_S).text
    assert "Translated" not in first.transcript(timeout=0).text
    hold.unlink()
    results = {job.id: job.result(timeout=TIMEOUT_S) for job in (first, second)}

    # Then each has the words it asked for, whoever ended last
    assert "Translated" not in results[first.id].text
    assert "Translated" in results[second.id].text
    for job in (first, second):
        assert job.result(timeout=0) == results[job.id]
        assert ("Translated" in job.transcript(timeout=0).text) == (job is second)
        assert is_consistent(job)
    public = read_manifest(open_storage(first.uri))
    assert public is not None
    assert public.job in results
    assert ("Translated" in public_files(first)["transcript.txt"].decode()) == (public.job == second.id)


def test_a_job_whose_place_was_taken_comes_back_without_being_done_again(fleet: Fleet) -> None:
    # Given an episode of which a translation has taken the place
    first = fleet.submit("returns")
    first.result(timeout=TIMEOUT_S)
    fleet.submit("returns", options=TRANSLATED).result(timeout=TIMEOUT_S)
    heard = windows(fleet.stage, "whisper", "returns")

    # When the first is asked for once more
    again = fleet.submit("returns")
    result = again.result(timeout=TIMEOUT_S)

    # Then its results are the public ones, and no leg ran for them
    assert again.id == first.id
    assert "Translated" not in result.text
    assert read_manifest(open_storage(first.uri)) == result
    assert windows(fleet.stage, "whisper", "returns") == heard


def test_work_of_a_cancelled_job_is_not_done_again(fleet: Fleet) -> None:
    # Given a job that was cancelled at its third window
    hold = fleet.stage.hold("whisper.resumed.2")
    job = fleet.submit("resumed")
    wait_until(lambda: windows(fleet.stage, "whisper", "resumed") == [0, 1, 2], "it is at its third window")
    assert job.cancel()
    wait_until(lambda: has_ended(job, fleet), "the cancelled job has ended")
    hold.unlink()

    # When it is submitted again, then it goes on where it was
    assert fleet.submit("resumed").result(timeout=TIMEOUT_S).state is JobState.COMPLETED
    assert windows(fleet.stage, "whisper", "resumed") == [0, 1, 2, 2]
    assert not list(Path(job.uri.removeprefix("file://")).glob(".work/*/*")), "what is done needs no checkpoints"


def test_a_cancelled_job_of_a_new_episode_has_a_result_that_says_so(fleet: Fleet) -> None:
    fleet.stage.hold("voxtral.new.1")
    job = fleet.submit("new")
    job.transcript(timeout=TIMEOUT_S)
    assert job.cancel()
    wait_until(lambda: open_storage(job.uri).exists(MANIFEST), "it has a result")

    manifest = read_manifest(open_storage(job.uri))
    assert manifest is not None
    assert manifest.state is JobState.CANCELLED
    assert manifest.transcript is not None
