"""A shelf of models in a bucket of a real S3 server: put there, listed, checked, taken; killed in between."""

import os
import random
import signal
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from pipeline.errors import StorageError, TransientError, WeightsError
from pipeline.settings import settings
from pipeline.storage import open_storage
from pipeline.storage.s3 import S3Object, S3Storage
from pipeline.storage.weights import checksums, ranged_download
from pipeline.storage.weights.cache import pull
from pipeline.storage.weights.model_id import ModelId
from pipeline.storage.weights.store import Finding, check, push, stored_models
from tests import voxtral_checkpoint
from tests.duet import Duet
from tests.faulty_s3 import FaultyS3, faulty_s3
from tests.services import S3Server, start_s3
from workers.weights import voxtral as voxtral_weights
from workers.weights import whisper as whisper_weights

pytestmark = pytest.mark.xdist_group("s3")

WHISPER = ModelId("whisper", "tiny")
VOXTRAL = ModelId("voxtral", "mistralai/Voxtral-Mini-3B-2507")
PARTS = 4
SHARED = "s3://podcasts/shared"
"""Where several tests put the same, which is sent once."""
START_TIMEOUT_S = 60.0


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[S3Server]:
    with start_s3(tmp_path_factory.mktemp("s3")) as server:
        yield server


@pytest.fixture(autouse=True)
def _configure(server: S3Server, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[None]:
    for name in [name for name in os.environ if name.startswith(("AWS_", "DUET_"))]:
        monkeypatch.delenv(name)
    for name, value in server.environment.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("DUET_CACHE_DIR", str(tmp_path / "cache"))
    settings.cache_clear()
    yield
    settings.cache_clear()


@pytest.fixture
def proxy(server: S3Server, monkeypatch: pytest.MonkeyPatch) -> Iterator[FaultyS3]:
    """The same server behind something that can fail."""
    with faulty_s3(server.endpoint_url) as proxy:
        monkeypatch.setenv("DUET_S3_ENDPOINT_URL", proxy.endpoint_url)
        monkeypatch.setattr(ranged_download, "BACKOFF_S", 0.01)
        settings.cache_clear()
        yield proxy


@pytest.fixture(scope="module")
def large(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A file of several parts, the last of them short."""
    path = tmp_path_factory.mktemp("large") / "any.pt"
    path.write_bytes(random.Random(1).randbytes((PARTS - 1) * ranged_download.PART_BYTES + 4321))
    return path


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return voxtral_checkpoint.build(tmp_path_factory.mktemp("voxtral"))


@pytest.fixture
def fetched(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The names of the objects whose parts were asked for."""
    names: list[str] = []
    part = S3Storage.part

    def counted(self: S3Storage, it: S3Object, first: int, count: int) -> Iterator[bytes]:
        names.append(it.name)
        return part(self, it, first, count)

    monkeypatch.setattr(S3Storage, "part", counted)
    return names


def command(folder: Path) -> Duet:
    """Return `duet` with this test's settings."""
    own = {name: value for name, value in os.environ.items() if name.startswith(("AWS_", "DUET_"))}
    return Duet(folder, folder / "cache", **own)


def put(uri: str, name: ModelId, source: Path) -> str:
    push(uri, name, source, lambda _: None)
    return uri


def test_what_was_put_there_is_listed_whole_and_taken_as_it_was(large: Path, checkpoint: Path) -> None:
    uri = put("s3://podcasts/both", WHISPER, large)
    put(uri, VOXTRAL, checkpoint)

    assert [(it.name, it.is_whole) for it in stored_models(uri)] == [(VOXTRAL, True), (WHISPER, True)]
    assert list(check(uri, WHISPER)) == [Finding("tiny.pt")]
    assert {it.trouble for it in check(uri, VOXTRAL)} == {""}
    assert (pull(uri, WHISPER) / "tiny.pt").read_bytes() == large.read_bytes()
    assert voxtral_weights.check(pull(uri, VOXTRAL)).parameters


def parts_noted(path: Path) -> int:
    """Return how many parts a download has noted; none where it ended between two looks."""
    try:
        return len(path.read_text().splitlines()) - 1
    except FileNotFoundError:
        return 0


def test_a_killed_pull_goes_on_with_the_parts_that_are_missing(
    proxy: FaultyS3, large: Path, tmp_path: Path, fetched: list[str]
) -> None:
    # Given a pull of which two parts have come and two do not
    uri = put(SHARED, WHISPER, large)
    duet = command(tmp_path)
    with proxy.fault("hang", method="GET", key=r"tiny\.pt", times=2):
        process = duet.start("models", "pull", uri, "--model", str(WHISPER))
        deadline = time.monotonic() + START_TIMEOUT_S
        while sum(parts_noted(it) for it in tmp_path.rglob("*.parts")) < PARTS - 2:
            assert process.poll() is None, process.communicate()
            assert time.monotonic() < deadline
            time.sleep(0.02)

        # When it is killed, and somebody pulls again
        process.send_signal(signal.SIGKILL)
        process.communicate()
    folder = pull(uri, WHISPER)

    # Then only the other two are fetched, and nothing unfinished is left
    assert fetched == ["tiny.pt"] * 2
    assert (folder / "tiny.pt").read_bytes() == large.read_bytes()
    assert list(tmp_path.rglob("*.part*")) == []


def test_an_answer_that_breaks_off_is_asked_for_again_from_there(proxy: FaultyS3, large: Path) -> None:
    uri = put(SHARED, WHISPER, large)
    with proxy.fault("cut", method="GET", key=r"tiny\.pt", times=3) as cut:
        assert (pull(uri, WHISPER) / "tiny.pt").read_bytes() == large.read_bytes()
    assert cut.seen == 3


def test_a_server_that_breaks_off_every_time_is_given_up(proxy: FaultyS3, large: Path) -> None:
    uri = put(SHARED, WHISPER, large)
    with proxy.fault("error", method="GET", key=r"tiny\.pt"), pytest.raises(TransientError, match=r"tiny\.pt"):
        pull(uri, WHISPER)


def test_what_is_damaged_on_the_way_is_not_kept(proxy: FaultyS3, large: Path, tmp_path: Path) -> None:
    uri = put(SHARED, WHISPER, large)
    with (
        proxy.fault("damage the answer", method="GET", key=r"tiny\.pt", times=1),
        pytest.raises(WeightsError, match=r"whisper/tiny/tiny\.pt is damaged"),
    ):
        pull(uri, WHISPER)
    assert [it for it in (tmp_path / "cache").rglob("*") if it.is_file() and it.stat().st_size > 1000] == []
    assert (pull(uri, WHISPER) / "tiny.pt").read_bytes() == large.read_bytes()


def test_parts_that_a_crash_left_damaged_are_fetched_again(proxy: FaultyS3, large: Path, tmp_path: Path) -> None:
    # Given an interrupted download of which the disk has lost what the journal says
    uri = put(SHARED, WHISPER, large)
    with (
        proxy.fault("error", method="GET", key=r"tiny\.pt", times=2, status=403, code="AccessDenied"),
        pytest.raises(StorageError),
    ):
        pull(uri, WHISPER)
    journal = next(tmp_path.rglob("*.parts"))
    unfinished = journal.with_name(journal.name.removesuffix("s"))
    with journal.open("a") as file:
        file.writelines(f"{index:08d}\n" for index in range(PARTS))
    unfinished.write_bytes(bytes(large.stat().st_size))

    # When it is pulled again, then it is as it should be
    assert (pull(uri, WHISPER) / "tiny.pt").read_bytes() == large.read_bytes()


def test_two_at_once_fetch_it_once(large: Path, fetched: list[str]) -> None:
    uri = put(SHARED, WHISPER, large)
    with ThreadPoolExecutor(2) as pool:
        folders = {it.result() for it in [pool.submit(pull, uri, WHISPER) for _ in range(2)]}
    assert len(folders) == 1
    assert fetched.count("tiny.pt") == PARTS


def test_a_model_that_is_written_anew_while_it_is_read_is_not_mixed(large: Path) -> None:
    uri = put("s3://podcasts/anew", WHISPER, large)
    storage = open_storage(f"{uri}/{WHISPER.prefix}")
    assert isinstance(storage, S3Storage)
    listed = next(it for it in storage.objects() if it.name == "tiny.pt")
    storage.put("tiny.pt", b"another")
    with pytest.raises(StorageError, match="written anew"):
        list(storage.part(listed, 0, 5))


def test_a_push_that_was_interrupted_goes_on_and_nobody_takes_half_of_it(
    checkpoint: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Given a push that ends before its second file
    uri, sent, put_one = "s3://podcasts/half", [], S3Storage.put

    def break_off(self: S3Storage, name: str, data: bytes | Path) -> None:
        if isinstance(data, Path):
            if sent:
                raise KeyboardInterrupt
            sent.append(name)
        put_one(self, name, data)

    with monkeypatch.context() as patch:
        patch.setattr(S3Storage, "put", break_off)
        with pytest.raises(KeyboardInterrupt):
            put(uri, VOXTRAL, checkpoint)
    assert [it.is_whole for it in stored_models(uri)] == [False]
    with pytest.raises(StorageError, match="not all of it"):
        pull(uri, VOXTRAL)

    # When it is pushed again
    def count(self: S3Storage, name: str, data: bytes | Path) -> None:
        sent.extend([name] if isinstance(data, Path) else [])
        put_one(self, name, data)

    monkeypatch.setattr(S3Storage, "put", count)
    put(uri, VOXTRAL, checkpoint)

    # Then each file was sent once, and it is whole
    assert sorted(sent) == sorted(it.name for it in checkpoint.iterdir() if it.name != checksums.LIST)
    assert [it.is_whole for it in stored_models(uri)] == [True]
    assert {it.trouble for it in check(uri, VOXTRAL)} == {""}


def test_what_is_missing_or_damaged_in_the_bucket_is_found(checkpoint: Path) -> None:
    uri = put("s3://podcasts/troubled", VOXTRAL, checkpoint)
    storage = open_storage(f"{uri}/{VOXTRAL.prefix}")
    storage.delete("tekken.json")
    storage.put("config.json", b"{}")
    troubles = {it.file: it.trouble for it in check(uri, VOXTRAL) if it.trouble}
    assert troubles == {"tekken.json": "it is missing", "config.json": "it is damaged: its SHA-256 is another one"}


def test_a_pool_takes_its_weights_from_the_bucket_before_a_hub(
    large: Path, checkpoint: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    uri = put("s3://podcasts/pools", WHISPER, large)
    put(uri, VOXTRAL, checkpoint)
    assert not whisper_weights.is_local(WHISPER.name)
    assert voxtral_weights.find_local(VOXTRAL.name) is None
    monkeypatch.setenv("DUET_MODEL_CACHE_URI", uri)
    settings.cache_clear()
    assert whisper_weights.whisper_checkpoint(WHISPER.name).read_bytes() == large.read_bytes()
    assert voxtral_weights.check(voxtral_weights.find(VOXTRAL.name)).parameters
    assert whisper_weights.is_local(WHISPER.name)
    assert voxtral_weights.find_local(VOXTRAL.name) == voxtral_weights.find(VOXTRAL.name)


def test_what_the_bucket_has_not_got_is_looked_for_elsewhere(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("DUET_MODEL_CACHE_URI", "s3://podcasts/empty")
    settings.cache_clear()
    with pytest.raises(voxtral_weights.NotFoundError, match="huggingface"):
        voxtral_weights.find(VOXTRAL.name)
    assert "is downloaded from the hub instead" in caplog.text


@pytest.mark.parametrize("text", ["base", "whisper/", "whisper/../x", "parrot/base", "whisper/a/b/c"])
def test_what_names_no_model(text: str) -> None:
    with pytest.raises(WeightsError, match="names no model"):
        ModelId.parse(text)


def test_the_commands_need_no_more_than_a_bucket(large: Path, tmp_path: Path) -> None:
    uri = "s3://podcasts/commands"
    duet = command(tmp_path)
    model = ("--model", str(WHISPER))

    pushed = duet("models", "push", uri, *model, "--from", large)
    assert (pushed.code, pushed.out) == (0, "whisper/tiny: tiny.pt is there\n")
    assert "whisper/tiny" in duet("models", "ls", uri).out
    assert duet("models", "verify", uri).code == 0
    assert "a--b is not there" in duet("models", "pull", uri, "--model", "voxtral/a/b").err
    open_storage(f"{uri}/{WHISPER.prefix}").put("tiny.pt", b"another")
    damaged = duet("models", "verify", uri)
    assert (damaged.code, "tiny.pt: it is damaged" in damaged.out) == (1, True)
    refused = duet("models", "pull", uri, *model)
    assert refused.code == 1
    assert "tiny.pt is damaged" in refused.err
    assert "Traceback" not in refused.err
