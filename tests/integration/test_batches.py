"""Batches in a real Valkey: what is submitted once, what is followed, what a client finds when it returns."""

import asyncio
import json
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from pipeline import Batch, JobState, Options, Submitted, submit, submit_all, submit_folder
from pipeline.errors import AudioError, BatchError, CancelledError, StorageError, WaitTimeoutError
from pipeline.messaging.promotion import promote
from pipeline.messaging.queues import PRIORITY_SEPARATOR
from pipeline.state.batch_store import BatchStore
from pipeline.state.job_store import JobStore
from pipeline.storage import open_storage
from pipeline.types import LEGS
from tests.batches import ID3, end_jobs, records, write_audio

PATIENCE_S = 20.0


@pytest.fixture
def show(tmp_path: Path) -> Path:
    write_audio(tmp_path / "show", "1.mp3", "2.mp3", "3.mp3")
    return tmp_path / "show"


@pytest.fixture
def results(tmp_path: Path) -> Path:
    return tmp_path / "results"


def counts(batch: Batch) -> dict[str, int]:
    entries = list(batch.entries())
    return {"jobs": len(entries), "done": sum(it.was_done for it in entries), "rejected": len(batch.rejected)}


def sent(job_store: JobStore) -> list[str]:
    """Return the episodes that wait for the fast leg, all priorities, first served first."""
    lists = [f"whisper{PRIORITY_SEPARATOR}{step}" if step else "whisper" for step in range(10)]
    headers = [json.loads(text)["headers"] for name in lists for text in reversed(job_store.redis.lrange(name, 0, -1))]
    return [Path(it["argsrepr"]).stem for it in headers if it["task"] == "tasks.transcribe"]


def test_a_folder_is_submitted_and_what_is_no_episode_is_said(job_store: JobStore, show: Path, results: Path) -> None:
    (show / "empty.mp3").touch()
    (show / "notes.txt").write_text("Show notes.")
    (show / "4.mp3.part").write_bytes(ID3)

    batch = submit_folder(show, results)

    assert len(batch) == 3
    assert sorted(sent(job_store)) == ["1", "2", "3"]
    assert [Path(it.source).name for it in batch.rejected] == ["empty.mp3"]
    assert sorted(Path(it.source).name for it in batch.skipped) == ["4.mp3.part", "notes.txt"]
    assert {job.spec.uri for job in batch} == {it.uri for it in batch.entries()}


def test_batches_of_the_same_second_have_ids_of_their_own(job_store: JobStore, monkeypatch: pytest.MonkeyPatch) -> None:
    # Given two batches of the same second, whose ids would end alike
    ends = iter(["0000", "0000", "0001"])
    monkeypatch.setattr("pipeline.state.batch_store.secrets.token_hex", lambda _: next(ends))
    monkeypatch.setattr("pipeline.state.batch_store.time.time", lambda: 1000.0)
    batches = BatchStore(job_store.redis)

    first, second = batches.create(["a/"], "file:///one", {}), batches.create(["b/"], "file:///two", {})

    assert batches.ids() == [first.id, second.id]
    assert (batches.get(first.id).places, batches.get(second.id).places) == (("a/",), ("b/",))


def test_the_same_folder_again_does_only_what_is_missing(job_store: JobStore, show: Path, results: Path) -> None:
    end_jobs(job_store, [job.id for job in submit_folder(show, results)])
    write_audio(show, "4.mp3", "5.mp3")
    job_store.redis.flushdb()
    told: list[Submitted] = []

    batch = submit_folder(show, results, on_progress=told.append)

    assert sorted(sent(job_store)) == ["4", "5"]
    assert str(told[-1]) == "3 done already, 2 new"
    assert counts(batch) == {"jobs": 5, "done": 3, "rejected": 0}
    assert {job.state for job in batch} == {JobState.COMPLETED, JobState.SUBMITTED}


def test_what_is_under_way_is_not_sent_twice(job_store: JobStore, show: Path, results: Path) -> None:
    first = submit_folder(show, results)
    second = submit_folder(show, results)

    assert sorted(sent(job_store)) == ["1", "2", "3"]
    assert {job.id for job in first} == {job.id for job in second}


def test_a_renamed_file_is_the_same_episode(job_store: JobStore, show: Path, results: Path) -> None:
    end_jobs(job_store, [job.id for job in submit_folder(show, results)])
    (show / "2.mp3").rename(show / "The better name.mp3")
    job_store.redis.flushdb()

    batch = submit_folder(show, results)

    assert counts(batch) == {"jobs": 3, "done": 3, "rejected": 0}
    assert len(list(results.iterdir())) == 3


def test_a_changed_file_is_a_new_episode(job_store: JobStore, show: Path, results: Path) -> None:
    end_jobs(job_store, [job.id for job in submit_folder(show, results)])
    (show / "2.mp3").write_bytes(ID3 + b"another take")

    submit_folder(show, results)

    assert sent(job_store).count("2") == 2


def test_an_episode_that_failed_is_begun_again(job_store: JobStore, show: Path, results: Path) -> None:
    jobs = [job.id for job in submit_folder(show, results)]
    end_jobs(job_store, jobs[:1], JobState.FAILED)
    end_jobs(job_store, jobs[1:])

    batch = submit_folder(show, results)

    assert counts(batch)["done"] == 2
    assert sorted(job.spec.attempt for job in batch) == [1, 1, 2]


def test_the_same_audio_twice_in_a_folder_is_one_job(job_store: JobStore, show: Path, results: Path) -> None:
    (show / "copy.mp3").write_bytes((show / "1.mp3").read_bytes())

    batch = submit_folder(show, results)

    assert len(batch) == 3
    assert [it.reason for it in batch.skipped] == ["it is the same audio as another one of this batch"]


def test_no_more_are_in_flight_than_allowed(job_store: JobStore, show: Path, results: Path) -> None:
    write_audio(show, *(f"{number}.mp3" for number in range(4, 9)))
    most = 0

    with ThreadPoolExecutor(1) as client:
        submitting = client.submit(submit_folder, show, results, in_flight=2)
        deadline = time.monotonic() + PATIENCE_S
        while not submitting.done():
            assert time.monotonic() < deadline
            in_flight = [it.spec.job for it in records(job_store) if not it.state.is_final]
            most = max(most, len(in_flight))
            end_jobs(job_store, in_flight)

    assert most == 2
    assert len(submitting.result()) == 8
    assert len(sent(job_store)) == 8


def test_a_cancelled_batch_is_submitted_no_further(job_store: JobStore, show: Path, results: Path) -> None:
    with ThreadPoolExecutor(1) as client:
        submitting = client.submit(submit_folder, show, results, in_flight=1)
        deadline = time.monotonic() + PATIENCE_S
        while not job_store.jobs():
            assert time.monotonic() < deadline
        while not (batch := Batch("last")).cancel() and not submitting.done():
            assert time.monotonic() < deadline

    assert len(submitting.result()) < 3
    assert {job.state for job in batch} == {JobState.CANCELLED}
    assert batch.progress().is_over


def test_jobs_are_told_as_they_end(job_store: JobStore, show: Path, results: Path) -> None:
    batch = submit_folder(show, results)
    jobs = [job.id for job in batch]
    told: list[str] = []

    order = [jobs[2], jobs[0], jobs[1]]
    end_jobs(job_store, order[:1])
    for job in batch.as_completed(timeout=PATIENCE_S):
        told.append(job.id)
        end_jobs(job_store, order[len(told) : len(told) + 1])

    assert told == order


def test_a_job_that_ends_while_nobody_asks_is_told_at_once(
    job_store: JobStore, show: Path, results: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Given a batch that is looked at once, and then never again in the time there is
    monkeypatch.setattr("pipeline.client.batch_follower.RECHECK_S", 2 * PATIENCE_S)
    batch = submit_folder(show, results)
    threading.Timer(0.3, end_jobs, (job_store, [job.id for job in batch])).start()

    # When its jobs end, then what is published is enough to know it
    states = [job.state for job in batch.as_completed(timeout=PATIENCE_S)]
    assert states == [JobState.COMPLETED] * 3


def test_waiting_ends_when_the_time_is_over_and_what_ended_was_told(
    job_store: JobStore, show: Path, results: Path
) -> None:
    batch = submit_folder(show, results)
    end_jobs(job_store, [next(iter(batch)).id])
    ends = batch.as_completed(timeout=0.1)

    assert next(ends).state is JobState.COMPLETED
    with pytest.raises(WaitTimeoutError, match=r"2 of 3 episodes of batch .* have not ended after 0\.1 s"):
        next(ends)


def test_progress_counts_states_and_tells_them_while_it_waits(job_store: JobStore, show: Path, results: Path) -> None:
    (show / "empty.mp3").touch()
    batch = submit_folder(show, results)
    jobs = [job.id for job in batch]
    end_jobs(job_store, jobs[:1], JobState.PARTIAL)

    now = batch.progress()
    end_jobs(job_store, jobs[1:])
    told: list[int] = []
    last = batch.wait(timeout=PATIENCE_S, on_progress=lambda progress: told.append(progress.ended))

    assert now.states == {JobState.SUBMITTED: 2, JobState.PARTIAL: 1, JobState.FAILED: 1}
    assert (now.total, now.ended, now.is_over) == (4, 2, False)
    assert (last.total, last.ended, last.failed, last.is_over) == (4, 4, 1, True)
    assert told[-1] == 4


def test_a_client_comes_back_with_the_id(job_store: JobStore, show: Path, results: Path) -> None:
    batch = submit_folder(show, results)
    end_jobs(job_store, [job.id for job in batch])

    back = Batch(batch.id)

    assert back.id == Batch(batch.id[:14]).id == Batch("last").id == batch.id
    assert [job.id for job in back] == [job.id for job in batch]
    assert back.record.places == (str(show),)
    with pytest.raises(BatchError, match="There is no batch 'nonsense' on this broker"):
        Batch("nonsense")


def test_cancelling_ends_what_has_not_ended(job_store: JobStore, show: Path, results: Path) -> None:
    batch = submit_folder(show, results)
    end_jobs(job_store, [next(iter(batch)).id])

    assert batch.cancel() == 2
    assert batch.cancel() == 0
    assert batch.progress().failed == 2


def test_a_single_episode_goes_before_a_batch_and_short_ones_before_long_ones(
    job_store: JobStore, tmp_path: Path, results: Path
) -> None:
    write_audio(tmp_path / "show", "a-long.mp3", "b-medium.mp3", "c-short.mp3")
    for name, size in (("a-long", 70_000_000), ("b-medium", 20_000_000)):
        with (tmp_path / "show" / f"{name}.mp3").open("ab") as file:
            file.truncate(size)  # a hole, which takes no room on the disk
    write_audio(tmp_path, "single.mp3")

    submit_folder(tmp_path / "show", results)
    submit(tmp_path / "single.mp3", results)

    assert sent(job_store) == ["single", "c-short", "b-medium", "a-long"]


def test_other_options_are_other_jobs_in_the_same_folder(job_store: JobStore, show: Path, results: Path) -> None:
    end_jobs(job_store, [job.id for job in submit_folder(show, results)])
    other = submit_folder(show, results, Options(questions=("Who speaks?",)))

    assert counts(other)["done"] == 0
    assert len(list(results.iterdir())) == 3
    assert len({job.uri for job in other}) == 3


def test_several_places_are_one_batch(job_store: JobStore, show: Path, results: Path, tmp_path: Path) -> None:
    write_audio(tmp_path / "other", "x.ogg")

    batch = submit_all([show, tmp_path / "other" / "*.ogg", tmp_path / "nowhere"], results)

    assert counts(batch) == {"jobs": 4, "done": 0, "rejected": 1}
    assert "No such file or folder: " in batch.rejected[0].reason


def test_a_destination_that_cannot_be_written_is_said_before_anything_is_read(
    job_store: JobStore, show: Path, tmp_path: Path
) -> None:
    (tmp_path / "in-the-way").write_text("")

    with pytest.raises(StorageError, match="in-the-way"):
        submit_folder(show, tmp_path / "in-the-way" / "results")
    assert BatchStore().ids() == []


def test_a_folder_given_as_one_episode_is_said(job_store: JobStore, show: Path, results: Path) -> None:
    with pytest.raises(AudioError, match="is a folder"):
        submit(show, results)


def test_a_batch_of_a_thousand_keeps_only_references(job_store: JobStore, tmp_path: Path, results: Path) -> None:
    write_audio(tmp_path / "show", *(f"episode-{number:04}.mp3" for number in range(1000)))

    batch = submit_folder(tmp_path / "show", results)

    assert len(batch) == 1000
    assert job_store.redis.memory_usage(f"duet:batch:{batch.id}:jobs", samples=0) < 400 * 1000
    assert len(list(batch)) == 1000
    assert open_storage(results.as_uri()).folders() == []


def test_a_thousand_coroutines_wait_over_a_few_connections(job_store: JobStore, tmp_path: Path, results: Path) -> None:
    write_audio(tmp_path / "show", *(f"{number}.mp3" for number in range(200)))
    batch = submit_folder(tmp_path / "show", results)
    jobs = list(batch)
    before = job_store.redis.info("clients")["connected_clients"]
    most = before

    async def wait_for_all() -> list[JobState]:
        nonlocal most
        waiting = [asyncio.create_task(job.aresult(timeout=PATIENCE_S)) for job in jobs * 5]
        while not job_store.redis.pubsub_numpat():
            await asyncio.sleep(0.01)
        most = job_store.redis.info("clients")["connected_clients"]
        await asyncio.to_thread(end_jobs, job_store, [job.id for job in jobs])
        return [result.state for result in await asyncio.gather(*waiting)]

    assert asyncio.run(wait_for_all()) == [JobState.COMPLETED] * 1000
    assert most - before < 50, "not one a waiting coroutine"


def test_a_coroutine_is_told_what_a_thread_is_told(job_store: JobStore, show: Path, results: Path) -> None:
    batch = submit_folder(show, results)
    first, second, third = batch
    end_jobs(job_store, [first.id])
    end_jobs(job_store, [second.id], JobState.CANCELLED)

    async def ask() -> tuple[JobState, list[str]]:
        state = (await first.aresult(timeout=PATIENCE_S)).state
        with pytest.raises(CancelledError):
            await second.aresult(timeout=PATIENCE_S)
        with pytest.raises(WaitTimeoutError, match="not yet completed"):
            await third.aresult(timeout=0.1)
        end_jobs(job_store, [third.id])
        return state, [job.id async for job in batch.aas_completed(timeout=PATIENCE_S)]

    state, told = asyncio.run(ask())
    assert state is JobState.COMPLETED
    assert sorted(told) == sorted(job.id for job in batch)


def test_what_has_waited_long_goes_before_what_has_just_come(
    job_store: JobStore, tmp_path: Path, results: Path
) -> None:
    write_audio(tmp_path, "old.mp3", "new.mp3")
    old = submit(tmp_path / "old.mp3", results, priority=6)
    job_store.redis.zadd("duet:jobs", {old.id: time.time() - 3700})
    submit(tmp_path / "new.mp3", results, priority=4)
    assert sent(job_store) == ["new", "old"]

    moved = promote(job_store.redis, time.time(), step_s=600.0)

    assert moved == len(LEGS)
    assert sent(job_store) == ["old", "new"]
    assert promote(job_store.redis, time.time(), step_s=600.0) == 0


def test_ageing_keeps_the_order_of_those_that_have_waited_alike(
    job_store: JobStore, tmp_path: Path, results: Path
) -> None:
    names = [f"ep-{number}.mp3" for number in range(5)]
    write_audio(tmp_path, *names)
    for number, name in enumerate(names):
        job = submit(tmp_path / name, results, priority=6)
        job_store.redis.zadd("duet:jobs", {job.id: time.time() - 700 - 10 * (5 - number)})

    promote(job_store.redis, time.time(), step_s=600.0)

    assert sent(job_store) == ["ep-0", "ep-1", "ep-2", "ep-3", "ep-4"]
    assert job_store.redis.llen(f"whisper{PRIORITY_SEPARATOR}5") == 5


def test_who_moves_up_comes_behind_those_who_moved_up_before(
    job_store: JobStore, tmp_path: Path, results: Path
) -> None:
    write_audio(tmp_path, "first.mp3", "second.mp3", "fresh.mp3")
    now = time.time()
    for name, waited_s in (("first", 700), ("second", 620)):
        job = submit(tmp_path / f"{name}.mp3", results, priority=6)
        job_store.redis.zadd("duet:jobs", {job.id: now - waited_s})
    submit(tmp_path / "fresh.mp3", results, priority=5)

    promote(job_store.redis, now - 60.0, step_s=600.0)
    promote(job_store.redis, now, step_s=600.0)

    assert sent(job_store) == ["first", "second", "fresh"]
    assert job_store.redis.llen(f"whisper{PRIORITY_SEPARATOR}5") == 3


def test_a_single_episode_overtakes_an_old_batch_unless_that_would_starve(
    job_store: JobStore, tmp_path: Path, results: Path
) -> None:
    write_audio(tmp_path, "old.mp3", "starved.mp3", "single.mp3")
    for name, waited_s in (("old", 7200), ("starved", 61_000)):
        job = submit(tmp_path / f"{name}.mp3", results, priority=6)
        job_store.redis.zadd("duet:jobs", {job.id: time.time() - waited_s})
    submit(tmp_path / "single.mp3", results)

    promote(job_store.redis, time.time(), step_s=600.0)

    assert sent(job_store) == ["starved", "single", "old"]
