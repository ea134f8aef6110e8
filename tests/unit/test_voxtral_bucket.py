"""Voxtral's weights in a bucket of a real S3 server, and digests that catch a flipped bit."""

import os
from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path
from shutil import copytree

import pytest

from pipeline.errors import WeightsError
from pipeline.settings import settings
from pipeline.storage import open_storage
from pipeline.storage.s3 import S3Object, S3Storage
from pipeline.storage.weights import checksums
from tests import voxtral_checkpoint
from tests.services import S3Server, start_s3
from workers.weights import voxtral as voxtral_weights

pytestmark = pytest.mark.xdist_group("s3")


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[S3Server]:
    with start_s3(tmp_path_factory.mktemp("s3")) as server:
        yield server


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = voxtral_checkpoint.build(tmp_path_factory.mktemp("voxtral"))
    lines = [f"{sha256(path.read_bytes()).hexdigest()}  {path.name}\n" for path in sorted(folder.iterdir())]
    (folder / checksums.LIST).write_text("".join(lines))
    return folder


@pytest.fixture
def checkpoint(whole: Path, tmp_path: Path) -> Path:
    return Path(copytree(whole, tmp_path / "model"))


@pytest.fixture(autouse=True)
def _configure(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[None]:
    for name in [name for name in os.environ if name.startswith(("AWS_", "DUET_"))]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("DUET_CACHE_DIR", str(tmp_path / "cache"))
    settings.cache_clear()
    yield
    settings.cache_clear()


@pytest.fixture
def use(server: S3Server, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in server.environment.items():
        monkeypatch.setenv(name, value)
    settings.cache_clear()


def upload(folder: Path, uri: str) -> str:
    storage = open_storage(uri)
    for path in folder.iterdir():
        storage.put(path.name, path)
    storage.put("consolidated.safetensors", b"the same weights in another layout")
    storage.put("deeper/config.json", b"{}")
    return uri


def flip(path: Path, at: int = -5) -> None:
    content = bytearray(path.read_bytes())
    content[at] ^= 1
    path.write_bytes(content)


@pytest.mark.usefixtures("use")
def test_a_model_is_downloaded_once(checkpoint: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    uri = upload(checkpoint, "s3://podcasts/models/voxtral")
    folder = voxtral_weights.find(uri)
    assert folder.parent.parent == settings().cache_dir / "voxtral"
    assert {path.name for path in folder.iterdir()} == {path.name for path in checkpoint.iterdir()}
    assert voxtral_weights.check(folder).parameters == voxtral_weights.check(checkpoint).parameters
    monkeypatch.setattr(S3Storage, "part", lambda *_: pytest.fail("fetched again"))
    assert voxtral_weights.find(f"{uri}/") == folder
    assert [path.name for path in folder.parent.iterdir()] == [folder.name]


@pytest.mark.usefixtures("use")
def test_of_a_model_that_changed_only_the_changed_files_are_fetched(checkpoint: Path) -> None:
    uri = upload(checkpoint, "s3://podcasts/models/changed")
    before = voxtral_weights.find(uri)
    (checkpoint / checksums.LIST).unlink()
    flip(checkpoint / "model.safetensors")
    open_storage(uri).delete(checksums.LIST)
    upload(checkpoint, uri)
    after = voxtral_weights.find(uri)
    assert after != before
    assert (after / "model.safetensors").read_bytes() == (checkpoint / "model.safetensors").read_bytes()
    assert (before / "model.safetensors").read_bytes() != (checkpoint / "model.safetensors").read_bytes()
    assert (after / "tekken.json").samefile(before / "tekken.json")
    assert not (after / checksums.LIST).exists(), "what is gone from the bucket is gone here"
    assert voxtral_weights.find(uri) == after


@pytest.mark.usefixtures("use")
def test_while_the_bucket_does_not_answer_the_version_used_last_has_to_do(
    checkpoint: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    uri = upload(checkpoint, "s3://podcasts/models/gone")
    voxtral_weights.find(uri)
    (checkpoint / "generation_config.json").write_text("{}")
    (checkpoint / checksums.LIST).unlink()
    open_storage(uri).delete(checksums.LIST)
    folder = voxtral_weights.find(upload(checkpoint, uri))
    monkeypatch.setenv("DUET_S3_ENDPOINT_URL", "http://127.0.0.1:9")
    settings.cache_clear()
    assert voxtral_weights.find(uri) == folder
    assert "does not answer" in caplog.text
    assert str(folder) in caplog.text


@pytest.mark.usefixtures("use")
def test_an_interrupted_download_leaves_no_half_of_a_folder_and_goes_on(
    checkpoint: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    uri = upload(checkpoint, "s3://podcasts/models/interrupted")
    part, fetched = S3Storage.part, []

    def break_off(self: S3Storage, it: S3Object, first: int, count: int) -> Iterator[bytes]:
        if len(fetched) == 2:
            raise KeyboardInterrupt
        fetched.append(it.name)
        return part(self, it, first, count)

    with monkeypatch.context() as patch:
        patch.setattr(S3Storage, "part", break_off)
        with pytest.raises(KeyboardInterrupt):
            voxtral_weights.find(uri)
    assert [path for path in (settings().cache_dir / "voxtral").rglob("*") if path.is_file()] == []
    assert voxtral_weights.check(voxtral_weights.find(uri)).parameters


@pytest.mark.usefixtures("use")
def test_a_bit_that_flipped_in_the_bucket_is_found_and_nothing_kept(checkpoint: Path) -> None:
    flip(checkpoint / "model.safetensors")
    uri = upload(checkpoint, "s3://podcasts/models/flipped")
    with pytest.raises(WeightsError, match=r"models/flipped/model\.safetensors is damaged"):
        voxtral_weights.find(uri)
    assert [path for path in (settings().cache_dir / "voxtral").rglob("*") if path.is_file()] == []
    flip(checkpoint / "model.safetensors")
    upload(checkpoint, uri)
    assert voxtral_weights.check(voxtral_weights.find(uri)).parameters


@pytest.mark.usefixtures("use")
def test_what_is_not_there_is_missing_and_not_damaged() -> None:
    with pytest.raises(voxtral_weights.NotFoundError, match="none of the model's files"):
        voxtral_weights.find("s3://podcasts/nothing")
    with pytest.raises(voxtral_weights.NotFoundError, match="no bucket 'elsewhere'"):
        voxtral_weights.find("s3://elsewhere/voxtral")


def test_a_server_that_is_not_there(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in S3Server("http://127.0.0.1:9", "key", "secret").environment.items():
        monkeypatch.setenv(name, value)
    settings.cache_clear()
    with pytest.raises(voxtral_weights.NotFoundError, match="does not answer"):
        voxtral_weights.find("s3://podcasts/voxtral")


@pytest.mark.parametrize("name", ["model.safetensors", "generation_config.json"])
def test_a_flipped_bit_is_found_by_the_digests(checkpoint: Path, name: str) -> None:
    assert voxtral_weights.check(checkpoint).parameters
    flip(checkpoint / name)
    with pytest.raises(WeightsError, match=rf"{name} is damaged \(its SHA-256"):
        voxtral_weights.check(checkpoint)


def test_digests_are_checked_once(checkpoint: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    voxtral_weights.check(checkpoint)
    monkeypatch.setattr(checksums, "differing", lambda *_: pytest.fail("read again"))
    voxtral_weights.check(checkpoint)


def test_a_list_that_is_none(checkpoint: Path) -> None:
    digest = "a" * 64
    path = checkpoint / checksums.LIST
    path.write_text(f"{digest} *./one.json\n{digest}  folder/two.json\n\n{digest.upper()}  three four.json\n")
    assert checksums.read(path) == {"one.json": digest, "three four.json": digest}
    path.write_text("<html>not found</html>\n")
    with pytest.raises(WeightsError, match="not a list as sha256sum writes it"):
        voxtral_weights.check(checkpoint)
