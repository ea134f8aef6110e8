"""The inbox: what is put there is taken once it has stopped growing, and never touched."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from beat.maintenance import scan_inboxes
from pipeline.client.inbox import Inbox
from pipeline.settings import settings
from pipeline.state.job_store import JobStore
from pipeline.storage import as_uri, open_storage, path_of
from tests.batches import ID3, end_jobs, own_settings, records, write_audio
from tests.services import S3Server, start_s3

pytestmark = pytest.mark.xdist_group("remote-sources")
SETTLE_S = 10.0


@pytest.fixture(scope="module")
def s3(tmp_path_factory: pytest.TempPathFactory) -> Iterator[S3Server]:
    with start_s3(tmp_path_factory.mktemp("s3")) as server:
        yield server


@pytest.fixture
def job_store(valkey: str, s3: S3Server, tmp_path: Path) -> Iterator[JobStore]:
    with own_settings(valkey, tmp_path / "cache", **s3.environment):
        job_store = JobStore()
        job_store.redis.flushdb()
        yield job_store


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "in").mkdir()
    return tmp_path / "in"


def sources(job_store: JobStore) -> list[str]:
    return sorted(Path(record.spec.episode.source).name for record in records(job_store))


def test_a_file_is_taken_once_it_has_stopped_growing(job_store: JobStore, folder: Path) -> None:
    inbox = Inbox(str(folder), None, job_store)
    write_audio(folder, "1.mp3")
    assert inbox.scan(100.0, SETTLE_S) == 0
    with (folder / "1.mp3").open("ab") as file:
        file.write(b"more")
    assert inbox.scan(111.0, SETTLE_S) == 0, "it has grown"
    assert inbox.scan(115.0, SETTLE_S) == 0
    assert inbox.scan(121.0, SETTLE_S) == 1
    assert inbox.scan(200.0, SETTLE_S) == 0, "it is taken once"

    (record,) = records(job_store)
    assert record.spec.episode.size_bytes == (folder / "1.mp3").stat().st_size


def test_results_go_to_a_mirror_of_the_tree_and_the_file_stays_as_it_is(job_store: JobStore, folder: Path) -> None:
    write_audio(folder, "show/season 1/ep.mp3", "top.mp3")
    before = {path: (path.read_bytes(), path.stat().st_mtime_ns) for path in folder.rglob("*.mp3")}
    inbox = Inbox(str(folder), None, job_store)
    inbox.scan(100.0, SETTLE_S)

    assert inbox.scan(120.0, SETTLE_S) == 2
    end_jobs(job_store, job_store.jobs())

    results = folder.with_name("in-results")
    assert len(list(results.glob("top-*/result.json"))) == 1
    assert len(list(results.glob("show/season 1/ep-*/result.json"))) == 1
    assert {path: (path.read_bytes(), path.stat().st_mtime_ns) for path in folder.rglob("*.mp3")} == before


def test_a_file_that_is_changed_later_is_a_new_episode(job_store: JobStore, folder: Path) -> None:
    write_audio(folder, "1.mp3")
    inbox = Inbox(str(folder), None, job_store)
    inbox.scan(100.0, SETTLE_S)
    inbox.scan(120.0, SETTLE_S)
    (folder / "1.mp3").write_bytes(ID3 + b"another take")

    inbox.scan(130.0, SETTLE_S)
    assert inbox.scan(150.0, SETTLE_S) == 1
    assert sources(job_store) == ["1.mp3", "1.mp3"]


def test_what_is_no_episode_or_not_whole_waits(job_store: JobStore, folder: Path) -> None:
    write_audio(folder, "1.mp3.part")
    (folder / "notes.txt").write_text("Show notes.")
    (folder / "empty.mp3").touch()
    inbox = Inbox(str(folder), None, job_store)
    inbox.scan(100.0, SETTLE_S)
    assert inbox.scan(120.0, SETTLE_S) == 0

    (folder / "1.mp3.part").rename(folder / "1.mp3")
    inbox.scan(130.0, SETTLE_S)

    assert inbox.scan(150.0, SETTLE_S) == 1


def test_after_a_broker_that_forgot_all_nothing_is_done_twice(job_store: JobStore, folder: Path) -> None:
    write_audio(folder, "1.mp3")
    inbox = Inbox(str(folder), None, job_store)
    inbox.scan(100.0, SETTLE_S)
    inbox.scan(120.0, SETTLE_S)
    end_jobs(job_store, job_store.jobs())
    job_store.redis.flushdb()

    inbox.scan(200.0, SETTLE_S)
    inbox.scan(220.0, SETTLE_S)

    assert job_store.redis.keys("whisper*") == []


def test_a_prefix_is_watched_too(job_store: JobStore, s3: S3Server) -> None:
    bucket = open_storage(f"s3://{s3.bucket}/inbox")
    bucket.put("show/ep.mp3", ID3 + b"from the bucket")
    inbox = Inbox(bucket.uri, f"s3://{s3.bucket}/out", job_store)
    inbox.scan(100.0, SETTLE_S)

    assert inbox.scan(120.0, SETTLE_S) == 1
    (record,) = records(job_store)
    assert record.spec.audio_uri == f"{bucket.uri}/show/ep.mp3"
    assert record.spec.uri.startswith(f"s3://{s3.bucket}/out/show/ep-")


def test_the_clock_looks_into_every_inbox_and_one_that_is_not_there_is_no_trouble(
    job_store: JobStore, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_audio(folder, "1.mp3")
    monkeypatch.setenv("DUET_INBOX", f"{tmp_path / 'nowhere'},{folder}")
    monkeypatch.setenv("DUET_INBOX_SETTLE_S", "0.001")
    settings.cache_clear()

    scan_inboxes()
    scan_inboxes()

    assert sources(job_store) == ["1.mp3"]


@pytest.mark.parametrize("name", ["Show #1", "a%20b", "50% off?", "caf\udce9", "[x]", "nl\nx", "-rf"])
@pytest.mark.parametrize("is_uri", [False, True])
def test_an_inbox_and_its_results_may_be_called_anything(
    job_store: JobStore, tmp_path: Path, name: str, is_uri: bool
) -> None:
    # Given an inbox with a subfolder, all with an odd name
    write_audio(tmp_path / name / name, "ep.mp3")
    own = as_uri(tmp_path / name) if is_uri else str(tmp_path / name)
    for inbox in (Inbox(own, None, job_store), Inbox(own, str(tmp_path / f"{name} there"), job_store)):
        # When it is looked at
        job_store.redis.flushdb()
        inbox.scan(100.0, SETTLE_S)
        assert inbox.scan(120.0, SETTLE_S) == 1
        assert inbox.forget_gone() == 0

        # Then the results go to the same subfolder of a folder of that name, and to no other
        (record,) = records(job_store)
        beside = f"{name}-results" if inbox.destination.endswith("-results") else f"{name} there"
        assert path_of(record.spec.uri).parent == tmp_path / beside / name
