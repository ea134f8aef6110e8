"""Audio that was read before is not read again, unless it may have changed."""

import os
import time
from pathlib import Path

import pytest

from pipeline.errors import AudioError
from pipeline.sources import LocalFile
from pipeline.sources.digest_cache import Digests

LONG_AGO = time.time() - 3600


@pytest.fixture
def digests(tmp_path: Path) -> Digests:
    return Digests(tmp_path / "cache" / "digests.sqlite")


def old_file(path: Path, data: bytes) -> LocalFile:
    path.write_bytes(data)
    os.utime(path, (LONG_AGO, LONG_AGO))
    return LocalFile(path)


def test_a_file_is_recalled_once_it_was_read(tmp_path: Path, digests: Digests) -> None:
    source = old_file(tmp_path / "ep.mp3", b"sound")
    assert source.known_episode(digests) is None

    read = source.read(digests)

    assert source.known_episode(digests) == read
    assert read.size_bytes == 5


def test_a_renamed_file_is_recalled_with_its_new_name(tmp_path: Path, digests: Digests) -> None:
    read = old_file(tmp_path / "ep.mp3", b"sound").read(digests)
    (tmp_path / "ep.mp3").rename(tmp_path / "better-name.mp3")

    again = LocalFile(tmp_path / "better-name.mp3").known_episode(digests)

    assert again
    assert (again.id, again.slug) == (read.id, "better-name")


def test_a_changed_file_is_another_episode(tmp_path: Path, digests: Digests) -> None:
    before = old_file(tmp_path / "ep.mp3", b"sound").read(digests)
    (tmp_path / "ep.mp3").write_bytes(b"noise")

    assert LocalFile(tmp_path / "ep.mp3").read(digests).id != before.id


def test_a_file_that_was_changed_just_now_is_not_trusted(tmp_path: Path, digests: Digests) -> None:
    (tmp_path / "ep.mp3").write_bytes(b"sound")
    source = LocalFile(tmp_path / "ep.mp3")
    source.read(digests)

    assert source.known_episode(digests) is None


def test_what_is_known_outlives_the_process(tmp_path: Path, digests: Digests) -> None:
    read = old_file(tmp_path / "ep.mp3", b"sound").read(digests)

    assert LocalFile(tmp_path / "ep.mp3").known_episode(Digests(tmp_path / "cache" / "digests.sqlite")) == read


def test_a_cache_that_cannot_be_written_costs_only_time(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    (tmp_path / "in-the-way").write_text("")
    source = old_file(tmp_path / "ep.mp3", b"sound")

    digests = Digests(tmp_path / "in-the-way" / "digests.sqlite")

    assert source.read(digests).size_bytes == 5
    assert "audio is read again each time" in caplog.text


@pytest.mark.parametrize("name", ["gone.mp3", "folder", "empty.mp3"])
def test_what_cannot_be_read_is_said(tmp_path: Path, digests: Digests, name: str) -> None:
    (tmp_path / "folder").mkdir()
    (tmp_path / "empty.mp3").touch()

    with pytest.raises(AudioError, match=name):
        LocalFile(tmp_path / name).read(digests)
