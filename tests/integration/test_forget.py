"""Forgetting: whatever Duet keeps of an episode goes, and nothing that is somebody else's."""

import json
import os
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from typer.testing import CliRunner

from pipeline import submit, submit_folder
from pipeline.cli import app
from pipeline.client.retention.removal import RemovalPlan, Remover
from pipeline.errors import JobAtWorkError, StorageError
from pipeline.http.uploads import LITTER_S, sweep
from pipeline.settings import settings
from pipeline.sources.digest_cache import Digests
from pipeline.state.batch_store import BatchStore
from pipeline.state.job_store import JobStore
from pipeline.storage import open_storage
from pipeline.types import LEGS, JobState, LegOutcome, Options
from pipeline.types.records import JobRecord
from tasks.base.audio_file import local_audio
from tests.batches import ID3, end_jobs, own_settings, records, write_audio
from tests.services import S3Server, start_s3

pytestmark = pytest.mark.xdist_group("forget")
DAY_S = 24 * 3600.0


@pytest.fixture(scope="module")
def s3(tmp_path_factory: pytest.TempPathFactory) -> Iterator[S3Server]:
    with start_s3(tmp_path_factory.mktemp("s3")) as server:
        yield server


@pytest.fixture
def job_store(valkey: str, s3: S3Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[JobStore]:
    monkeypatch.chdir(tmp_path)
    with own_settings(valkey, tmp_path / "cache", **s3.environment):
        job_store = JobStore()
        job_store.redis.flushdb()
        yield job_store


def done(
    job_store: JobStore, name: str, to: str = "results", state: JobState = JobState.COMPLETED, **options: str
) -> JobRecord:
    """Let an episode be done, with some results and a checkpoint."""
    write_audio(Path(), name)
    job = submit(name, to, Options(**options))
    storage = open_storage(job.uri)
    for file in ("transcript.json", "transcript.srt", f".work/{job.id}/whisper/0.json"):
        storage.put(file, name.encode())
    for leg in LEGS:
        job_store.note_leg(job.spec, leg, outcome=LegOutcome(leg=leg, status="ok").model_dump_json())
    end_jobs(job_store, [job.id], state)
    storage.put(f".work/{job.id}/voxtral/0.json", b"{}")
    record = job_store.get(job.id)
    assert record
    return record


def files(folder: str = ".") -> set[str]:
    return {it.as_posix() for it in Path(folder).rglob("*") if it.is_file() and "cache" not in it.parts}


def erase(job_store: JobStore, record: JobRecord) -> None:
    eraser = Remover(job_store)
    eraser.erase(eraser.of_job(record.spec.job))


def test_nothing_of_a_job_is_left(job_store: JobStore) -> None:
    # Given an episode that is done, and its batch
    record = done(job_store, "1.mp3")
    batch = submit_folder("1.mp3", "results")
    assert [it.job for it in batch.entries()] == [record.spec.job]
    job_store.redis.delete("duet:metrics", *job_store.redis.keys("_kombu*"), *job_store.redis.keys("*\x06\x16*"))

    # When its job is forgotten
    erase(job_store, record)

    # Then its audio alone is left, and Redis knows nothing of it
    assert files() == {"1.mp3"}
    assert [key for key in job_store.redis.keys("*") if job_store.redis.type(key) != "list"] == []
    assert BatchStore(job_store.redis).ids() == []
    digests = Digests(settings().cache_dir / "digests.sqlite")
    assert digests._database.execute("SELECT count(*) FROM digests").fetchone() == (0,)


def test_an_episode_in_a_bucket_goes_with_its_copies(job_store: JobStore, s3: S3Server) -> None:
    to = f"s3://{s3.bucket}/forgotten"
    record = done(job_store, "1.mp3", to, JobState.FAILED)
    folder, _, name = record.spec.audio_uri.rpartition("/")
    copy = open_storage(folder).local_path(name)
    other = done(job_store, "2.mp3", to)

    erase(job_store, record)

    assert not copy.exists()
    left = open_storage(to).list()
    assert left
    assert all(other.spec.episode.id in it for it in left)


def test_another_machine_removes_its_copy_when_it_has_heard_its_next_episode(
    job_store: JobStore, s3: S3Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Given another machine with copies of two episodes
    to = f"s3://{s3.bucket}/elsewhere"
    record, other = (done(job_store, name, to, JobState.FAILED) for name in ("1.mp3", "2.mp3"))
    with monkeypatch.context() as machine:
        machine.setenv("DUET_CACHE_DIR", str(tmp_path / "cache of another machine"))
        settings.cache_clear()
        for it in (record, other):
            with local_audio(it.spec) as copy:
                assert copy.exists()
    settings.cache_clear()

    # When one of them is forgotten here, and that machine hears the other once more
    erase(job_store, record)
    monkeypatch.setenv("DUET_CACHE_DIR", str(tmp_path / "cache of another machine"))
    settings.cache_clear()
    with local_audio(other.spec) as kept:
        pass

    # Then it has a copy of that one alone
    assert list((tmp_path / "cache of another machine" / "audio").iterdir()) == [kept]


def test_what_is_not_ours_stays_in_the_folder(job_store: JobStore) -> None:
    record = done(job_store, "1.mp3")
    open_storage(record.spec.uri).put("my notes.txt", b"mine")
    eraser = Remover(job_store)

    told = eraser.erase(eraser.of_job(record.spec.job))

    assert {Path(it).name for it in files("results")} == {"my notes.txt"}
    assert [Path(it).name for it in told.left] == ["my notes.txt"]


def test_the_results_of_a_newer_job_of_the_episode_stay(job_store: JobStore) -> None:
    older = done(job_store, "1.mp3")
    newer = done(job_store, "1.mp3", task="translate")
    assert older.spec.uri == newer.spec.uri

    erase(job_store, older)

    assert job_store.jobs() == [newer.spec.job]
    assert open_storage(newer.spec.uri).exists("result.json")
    assert not any(older.spec.job in it for it in files())
    assert any(newer.spec.job in it for it in files())


def test_a_job_at_work_is_refused_and_nothing_is_removed(job_store: JobStore) -> None:
    write_audio(Path(), "1.mp3")
    job = submit("1.mp3", "results")
    eraser = Remover(job_store)

    with pytest.raises(JobAtWorkError, match=rf"{job.id} of 1.mp3 is submitted; cancel it first"):
        eraser.erase(eraser.of_job(job.id))

    assert job_store.jobs() == [job.id]


def test_a_job_that_was_cancelled_is_refused_until_its_worker_has_stopped(job_store: JobStore) -> None:
    write_audio(Path(), "1.mp3")
    job = submit("1.mp3", "results")
    lease = f"duet:lease:{job.spec.task_id('whisper')}"
    job_store.redis.set(lease, "worker 1 token")
    job.cancel()
    eraser = Remover(job_store)

    with pytest.raises(JobAtWorkError, match="has not stopped yet"):
        eraser.erase(eraser.of_job(job.id))
    job_store.redis.delete(lease)
    eraser.erase(eraser.of_job(job.id))

    assert job_store.jobs() == []


def test_what_lies_outside_of_the_allowed_roots_stays(job_store: JobStore, monkeypatch: pytest.MonkeyPatch) -> None:
    record = done(job_store, "1.mp3")
    monkeypatch.setenv("DUET_ALLOWED_ROOTS", "/somewhere/else")
    settings.cache_clear()

    with pytest.raises(StorageError, match="outside of the places"):
        erase(job_store, record)

    assert open_storage(record.spec.uri).exists("result.json")


def test_it_works_where_redis_is_full(job_store: JobStore) -> None:
    # Given a Redis that refuses whatever makes it larger
    record = done(job_store, "1.mp3")
    job_store.redis.config_set("maxmemory", "1")
    try:
        erase(job_store, record)
    finally:
        job_store.redis.config_set("maxmemory", "0")

    assert job_store.jobs() == []


def test_an_upload_goes_with_its_job_and_nobody_elses_file_does(job_store: JobStore, tmp_path: Path) -> None:
    record = done(job_store, "1.mp3", "results/hybrid")
    upload = tmp_path / "results" / "uploads" / ("0" * 32) / "ep.mp3"
    elsewhere = tmp_path / "uploads" / ("0" * 32) / "ep.mp3"
    for path in (upload, elsewhere):
        path.parent.mkdir(parents=True)
        path.write_bytes(ID3)

    def read(path: Path) -> JobRecord:
        return replace_audio(record, path)

    eraser = Remover(job_store)
    assert eraser.erase(RemovalPlan((read(elsewhere),))).uploads == 0
    assert eraser.erase(RemovalPlan((read(upload),))).uploads == 1
    assert (elsewhere.exists(), upload.parent.exists()) == (True, False)


def replace_audio(record: JobRecord, path: Path) -> JobRecord:
    return record.model_copy(update={"spec": record.spec.model_copy(update={"audio_uri": path.as_uri()})})


def test_uploads_that_no_job_reads_are_cleared_away_after_a_day(job_store: JobStore, tmp_path: Path) -> None:
    # Given three uploads of long ago and a new one, of which a job reads one
    folder = tmp_path / "results" / "uploads"
    paths = [folder / (str(number) * 32) / "ep.mp3" for number in range(4)]
    for path in paths:
        path.parent.mkdir(parents=True)
        path.write_bytes(ID3)
    for path in paths[:3]:
        os.utime(path.parent, (time.time() - LITTER_S - 60,) * 2)
    assert sweep(folder, job_store) == 0, "a broker without any job may be the wrong one"
    job = submit(str(paths[0]), "results")
    assert job.spec.audio_uri == paths[0].as_uri()

    assert sweep(folder, job_store) == 2

    assert [it.exists() for it in paths] == [True, False, False, True]


def run(*arguments: str) -> tuple[int, str, str]:
    result = CliRunner().invoke(app, ["forget", *arguments])
    error = str(result.exception) if result.exception and not isinstance(result.exception, SystemExit) else ""
    return result.exit_code, result.stdout, result.stderr + error


def test_the_command_forgets_an_episode_by_its_name(job_store: JobStore) -> None:
    done(job_store, "garden-hour.mp3")
    kept = done(job_store, "science-chat.mp3")

    code, out, _ = run("garden", "--in", "results")

    assert code == 0
    assert "Removed 1 job, " in out
    assert job_store.jobs() == [kept.spec.job]
    assert files("results") == {it for it in files("results") if "science-chat" in it}


def test_the_command_forgets_a_job_by_how_it_begins_and_says_so_as_json(job_store: JobStore) -> None:
    record = done(job_store, "1.mp3")

    code, out, _ = run(record.spec.job[:20], "--json")

    assert code == 0
    told = json.loads(out)
    assert (told["jobs"], told["folders"]) == ([record.spec.job], [record.spec.uri])
    assert told["files"] == 4
    assert files() == {"1.mp3"}


def test_the_command_forgets_an_episode_everywhere_by_its_id(job_store: JobStore) -> None:
    record = done(job_store, "1.mp3")
    done(job_store, "1.mp3", "elsewhere")
    done(job_store, "1.mp3", task="translate")

    code, _, _ = run(record.spec.episode.id)

    assert code == 0
    assert job_store.jobs() == []
    assert files() == {"1.mp3"}


def test_the_command_forgets_what_ended_before_a_day(job_store: JobStore) -> None:
    # Given a job of long ago, one whose job the broker no longer knows, and one of today
    old = done(job_store, "old.mp3")
    job_store.redis.hset(f"duet:job:{old.spec.job}", "ended_at", time.time() - 60 * DAY_S)
    retired = done(job_store, "retired.mp3")
    storage = open_storage(retired.spec.uri)
    manifest = json.loads(storage.get("result.json"))
    storage.put("result.json", json.dumps(manifest | {"ended_at": "2020-01-02T03:04:05.678+00:00"}).encode())
    job_store.remove([(retired.spec.job, 1)], time.time(), [[]])
    new = done(job_store, "new.mp3")
    day = time.strftime("%Y-%m-%d", time.localtime(time.time() - 30 * DAY_S))

    code, _, error = run("--before", day)

    assert code == 0, error
    assert job_store.jobs() == [new.spec.job]
    assert {it.split("/")[1].rpartition("-")[0] for it in files("results")} == {"new"}
    assert run("--before", day)[:2] == (0, "There was nothing to remove.\n")


@pytest.mark.parametrize(
    ("arguments", "code", "sentence"),
    [
        ([], 2, "Name an episode or a job, or give --before DATE"),
        ([""], 2, "Name an episode or a job, or give --before DATE"),
        (["x", "--before", "2026-01-01"], 2, "Name an episode or a job, or give --before DATE"),
        (["--before", "yesterday"], 2, "is no date"),
        (["0123456789abcdef-01234567"], 1, "There is nothing of"),
        (["nobody"], 1, "There is no episode 'nobody'"),
    ],
)
def test_the_command_says_what_is_wrong(job_store: JobStore, arguments: list[str], code: int, sentence: str) -> None:
    found, _, error = run(*arguments)
    assert sentence in error.replace("\n", " ")
    assert found == code


def test_the_command_refuses_a_job_at_work(job_store: JobStore) -> None:
    write_audio(Path(), "1.mp3")
    job = submit("1.mp3", "results")

    code, _, error = run(job.id, "--yes")

    assert code == 1
    assert "cancel it first" in error
    assert records(job_store)
