"""Corrections outlive retries, forced runs and cancelled ones."""

import pytest

from pipeline import JobState
from pipeline.client.correcting import correct, corrections_of, undo
from pipeline.results.manifest import changed_files, read_manifest, read_product
from pipeline.state.job_store import JobStore
from pipeline.storage import open_storage
from pipeline.types.corrections import Change
from tests.faults.fleet import TIMEOUT_S, Fleet, windows

pytestmark = pytest.mark.xdist_group("fleet")
CHANGE = Change(start_s=0.0, was="Window 0.", becomes="Fenster null.")


def test_a_retry_keeps_a_correction_and_reads_what_whisper_heard(fleet: Fleet) -> None:
    # Given a partial episode with a correction
    flag = fleet.stage.die("speakers.amended.1", "fail")
    job = fleet.submit("amended")
    assert job.result(timeout=TIMEOUT_S).state is JobState.PARTIAL
    storage = open_storage(job.uri)
    heard = read_product(job.spec, "whisper", storage)
    (made,) = correct(job.uri, [CHANGE], JobStore(), job.spec)

    # When it is retried
    flag.unlink()
    again = job.retry()
    result = again.result(timeout=TIMEOUT_S)

    # Then Whisper's own work was used again, and the correction is there
    assert result.state is JobState.COMPLETED
    assert windows(fleet.stage, "whisper", "amended") == [0, 1, 2]
    assert result.text.startswith("Fenster null.")
    assert [it.id for it in corrections_of(storage)] == [made.id]
    assert read_product(again.spec, "whisper", storage).count(b"Window 0.") == heard.count(b"Window 0.")
    public = read_manifest(storage)
    assert public
    assert changed_files(public, storage) == []

    # And is undone to the text that Whisper heard
    undo(job.uri, made.id, JobStore())
    assert again.result(timeout=0).text.startswith("Window 0.")


def test_a_forced_run_and_a_cancelled_one_keep_a_correction(fleet: Fleet) -> None:
    job = fleet.submit("rewritten")
    job.result(timeout=TIMEOUT_S)
    correct(job.uri, [CHANGE], JobStore(), job.spec)

    # When it is processed by force
    result = fleet.submit("rewritten", force=True).result(timeout=TIMEOUT_S)
    assert (result.attempt, result.text.startswith("Fenster null.")) == (2, True)

    # When a further run is cancelled
    hold = fleet.stage.hold("whisper.rewritten.1")
    third = fleet.submit("rewritten", force=True)
    third.cancel()
    hold.unlink()

    # Then the correction is in the result that is still public
    public = read_manifest(open_storage(job.uri))
    assert public
    assert public.text.startswith("Fenster null.")
    assert [it.applied for it in corrections_of(open_storage(job.uri))] == [True]
