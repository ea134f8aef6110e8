"""A `duet run` that was interrupted leaves jobs behind; the next one drops those and no others."""

from pathlib import Path

from pipeline import JobState, submit_folder
from pipeline.embedded.interrupted_batches import cancel_interrupted, note_run, note_run_ended
from pipeline.state.job_store import JobStore
from tests.batches import end_jobs, write_audio


def states(job_store: JobStore, jobs: list[str]) -> list[JobState | None]:
    return list(job_store.states(jobs))


def test_what_was_queued_before_an_interrupted_run_stays(job_store: JobStore, tmp_path: Path) -> None:
    # Given episodes that `duet submit` queued, and a run of those and of others that was killed
    write_audio(tmp_path / "night", "1.mp3", "2.mp3")
    queued = [job.id for job in submit_folder(tmp_path / "night", tmp_path / "results")]
    write_audio(tmp_path / "night", "3.mp3", "4.mp3")
    run = submit_folder(tmp_path / "night", tmp_path / "results")
    note_run(job_store.redis, run.id)
    begun = [job.id for job in run if job.id not in queued]
    end_jobs(job_store, begun[:1])

    # When the next run starts
    assert cancel_interrupted(job_store.redis) == 1

    # Then what was queued waits as before, and only what the run began and did not end is cancelled
    assert states(job_store, queued) == [JobState.SUBMITTED] * 2
    assert states(job_store, begun) == [JobState.COMPLETED, JobState.CANCELLED]
    record = job_store.get(begun[1])
    assert record is not None
    assert record.ended_at
    assert "interrupted" in record.reason
    assert cancel_interrupted(job_store.redis) == 0


def test_a_run_that_came_to_its_end_is_forgotten(job_store: JobStore, tmp_path: Path) -> None:
    write_audio(tmp_path / "show", "1.mp3")
    batch = submit_folder(tmp_path / "show", tmp_path / "results")
    note_run(job_store.redis, batch.id)
    note_run_ended(job_store.redis, batch.id)

    assert cancel_interrupted(job_store.redis) == 0
    assert states(job_store, [job.id for job in batch]) == [JobState.SUBMITTED]
