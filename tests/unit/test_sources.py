"""Which files at a place are episodes, by what is in them."""

import os
from pathlib import Path

import pytest

from pipeline.errors import AudioError
from pipeline.sources import LocalFile, Rejected, Skipped, find, find_all, find_one
from pipeline.sources.file_types import AUDIO_SUFFIXES, HEAD_BYTES, why_not_audio

ID3 = b"ID3\x04\x00\x00\x00\x00\x00\x00"
FRAME = b"\xff\xf3\x84\xc4" + bytes(range(256))
"""The beginning of an MP3 without a tag."""
PNG = b"\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR"


def write(folder: Path, *names: str, data: bytes = ID3) -> None:
    for name in names:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)


def found(folder: Path) -> list[str]:
    return [Path(it.name).relative_to(folder).as_posix() for it in find(folder) if isinstance(it, LocalFile)]


def skipped(place: Path | str) -> dict[str, str]:
    return {Path(it.source).name: it.reason for it in find(place) if isinstance(it, Skipped)}


def test_a_file_is_taken_whatever_its_ending(tmp_path: Path) -> None:
    write(tmp_path, "episode.bin", data=b"anything")

    assert list(find(tmp_path / "episode.bin")) == [LocalFile(tmp_path / "episode.bin")]


def test_a_folder_gives_its_audio_in_the_order_of_names(tmp_path: Path) -> None:
    write(tmp_path, "b.mp3", "a.wav", "c.m4a", "2/b.mp3", "1/deep/down/a.mp3")

    assert found(tmp_path) == ["a.wav", "b.mp3", "c.m4a", "1/deep/down/a.mp3", "2/b.mp3"]


def test_the_content_counts_not_the_ending(tmp_path: Path) -> None:
    write(tmp_path, "no-ending", "wrong.txt")
    write(tmp_path, "headless", data=FRAME)
    write(tmp_path, "notes.txt", data=b"Show notes.")
    write(tmp_path, "cover.mp3", data=PNG)

    assert found(tmp_path) == ["headless", "no-ending", "wrong.txt"]
    assert skipped(tmp_path) == {"notes.txt": "it is not audio", "cover.mp3": "it is not audio but image/png"}


def test_what_nobody_can_tell_is_left_to_the_decoder_if_it_is_named_like_audio(tmp_path: Path) -> None:
    write(tmp_path, "odd.mp3", "odd.dat", data=b"\x01\x02 who knows")

    assert found(tmp_path) == ["odd.mp3"]


@pytest.mark.parametrize("name", ["ep.mp3.part", "ep.mp3.crdownload", "ep.tmp"])
def test_a_download_that_has_not_ended_is_skipped(tmp_path: Path, name: str) -> None:
    write(tmp_path, name, "ep.mp3")

    assert found(tmp_path) == ["ep.mp3"]
    assert skipped(tmp_path) == {name: "it is a download that has not ended"}


def test_a_file_that_aria2_still_writes_is_skipped(tmp_path: Path) -> None:
    write(tmp_path, "ep.mp3", "ep.mp3.aria2", "whole.mp3")

    assert found(tmp_path) == ["whole.mp3"]


def test_hidden_files_are_skipped_with_a_reason(tmp_path: Path) -> None:
    write(tmp_path, "._ep.mp3", ".trash/old.mp3", "ep.mp3")

    assert found(tmp_path) == ["ep.mp3"]
    assert skipped(tmp_path) == {"._ep.mp3": "it is hidden", ".trash": "it is hidden"}


def test_our_own_results_are_no_episodes(tmp_path: Path) -> None:
    write(tmp_path, "ep.mp3", "results/ep-0123/result.json", "results/ep-0123/.work/job/audio.mp3")

    assert found(tmp_path) == ["ep.mp3"]


def test_an_empty_file_that_is_named_like_audio_is_rejected(tmp_path: Path) -> None:
    write(tmp_path, "empty.mp3", data=b"")

    (rejected,) = find(tmp_path)

    assert isinstance(rejected, Rejected)
    assert "empty.mp3 is empty (0 bytes)" in rejected.reason


def test_a_loop_of_links_ends(tmp_path: Path) -> None:
    write(tmp_path, "show/ep.mp3")
    (tmp_path / "show" / "again").symlink_to(tmp_path, target_is_directory=True)

    assert found(tmp_path) == ["show/ep.mp3"]
    assert skipped(tmp_path) == {"again": "it leads to a folder that was searched already"}


def test_links_to_folders_and_files_are_followed(tmp_path: Path) -> None:
    write(tmp_path, "elsewhere/ep.mp3", "elsewhere/2/two.mp3")
    (tmp_path / "show").mkdir()
    (tmp_path / "show" / "one.mp3").symlink_to(tmp_path / "elsewhere" / "ep.mp3")
    (tmp_path / "show" / "more").symlink_to(tmp_path / "elsewhere" / "2", target_is_directory=True)

    assert found(tmp_path / "show") == ["one.mp3", "more/two.mp3"]


def test_what_is_no_regular_file_is_skipped(tmp_path: Path) -> None:
    write(tmp_path, "ep.mp3")
    os.mkfifo(tmp_path / "pipe.mp3")

    assert skipped(tmp_path) == {"pipe.mp3": "it is no regular file"}


def test_a_folder_named_like_audio_is_a_folder(tmp_path: Path) -> None:
    write(tmp_path, "show.mp3/ep.mp3")

    assert found(tmp_path) == ["show.mp3/ep.mp3"]


def test_a_pattern_is_the_files_that_match_it(tmp_path: Path) -> None:
    write(tmp_path, "a/1.mp3", "a/2.ogg", "b/deep/3.mp3")

    names = [Path(it.name).name for it in find(f"{tmp_path}/**/*.mp3") if isinstance(it, LocalFile)]

    assert names == ["1.mp3", "3.mp3"]


def test_a_file_with_the_letters_of_a_pattern_in_its_name_is_a_file(tmp_path: Path) -> None:
    write(tmp_path, "Why [live]?.mp3")

    assert found(tmp_path) == ["Why [live]?.mp3"]
    assert list(find(tmp_path / "Why [live]?.mp3")) == [LocalFile(tmp_path / "Why [live]?.mp3")]


@pytest.mark.parametrize(
    ("place", "sentence"),
    [
        ("gone.mp3", r"No such file or folder: .*gone\.mp3\."),
        ("gone/*.mp3", r"Nothing matches .*gone/\*\.mp3"),
        ("notes", r"holds no audio file \(.*a\.txt: it is not audio\)"),
    ],
)
def test_a_place_without_episodes_is_said(tmp_path: Path, place: str, sentence: str) -> None:
    write(tmp_path, "notes/a.txt", data=b"Show notes.")

    with pytest.raises(AudioError, match=sentence):
        list(find(tmp_path / place))


def test_of_several_places_one_that_is_not_there_does_not_stop_the_rest(tmp_path: Path) -> None:
    write(tmp_path, "ep.mp3")

    rejected, episode = find_all([tmp_path / "gone", tmp_path / "ep.mp3"])

    assert isinstance(rejected, Rejected)
    assert episode == LocalFile(tmp_path / "ep.mp3")


def test_places_of_an_unknown_kind_are_said() -> None:
    with pytest.raises(AudioError, match="Duet reads files, folders, s3://"):
        find_one("ftp://host/ep.mp3")


@pytest.mark.parametrize("suffix", sorted(AUDIO_SUFFIXES))
def test_every_usual_ending_counts_where_the_bytes_say_nothing(suffix: str) -> None:
    assert why_not_audio(f"EP{suffix.upper()}", b"\x01\x02\x03\x04") is None


def test_the_sample_episodes_are_known_by_their_bytes_alone(episodes: dict[str, Path]) -> None:
    for path in episodes.values():
        assert why_not_audio("no-ending", path.read_bytes()[:HEAD_BYTES]) is None, path


@pytest.mark.parametrize(
    "head",
    [
        PNG,
        b"%PDF-1.7\n",
        b"#EXTM3U\n#EXTINF:1,\na.mp3\n",
        b"MThd\0\0\0\6\0\1\0\1\0\x60",
        bytes(64),
        b"{}",
        b"\xff\xfe h",
    ],
)
def test_what_is_no_audio_is_not_taken_for_it(head: bytes) -> None:
    assert why_not_audio("no-ending", head) is not None
