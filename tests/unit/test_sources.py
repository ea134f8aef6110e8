"""Which files below a path are episodes."""

from pathlib import Path

import pytest

from pipeline.errors import AudioError
from pipeline.sources import AUDIO_SUFFIXES, audio_files


def touch(folder: Path, *names: str) -> None:
    for name in names:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()


def found(folder: Path) -> list[str]:
    return [path.relative_to(folder).as_posix() for path in audio_files(folder)]


def test_a_file_is_taken_whatever_its_ending(tmp_path: Path) -> None:
    touch(tmp_path, "episode.bin")

    assert list(audio_files(tmp_path / "episode.bin")) == [tmp_path / "episode.bin"]


def test_a_folder_gives_its_audio_in_the_order_of_names(tmp_path: Path) -> None:
    touch(tmp_path, "b.mp3", "a.wav", "c.m4a", "notes.txt", "cover.jpg", "noending")

    assert found(tmp_path) == ["a.wav", "b.mp3", "c.m4a"]


def test_folders_below_are_searched_too(tmp_path: Path) -> None:
    touch(tmp_path, "2/b.mp3", "1/deep/down/a.mp3", "top.mp3")

    assert found(tmp_path) == ["top.mp3", "1/deep/down/a.mp3", "2/b.mp3"]


def test_the_case_of_an_ending_does_not_matter(tmp_path: Path) -> None:
    touch(tmp_path, "LOUD.MP3", "Mixed.Flac")

    assert found(tmp_path) == ["LOUD.MP3", "Mixed.Flac"]


def test_hidden_files_and_folders_are_left_out(tmp_path: Path) -> None:
    touch(tmp_path, "._ep.mp3", ".trash/old.mp3", "ep.mp3")

    assert found(tmp_path) == ["ep.mp3"]


def test_a_loop_of_links_ends(tmp_path: Path) -> None:
    touch(tmp_path, "show/ep.mp3")
    (tmp_path / "show" / "again").symlink_to(tmp_path, target_is_directory=True)

    assert found(tmp_path) == ["show/ep.mp3"]


def test_a_link_to_a_folder_is_followed_when_it_is_the_path_itself(tmp_path: Path) -> None:
    touch(tmp_path, "show/ep.mp3")
    (tmp_path / "link").symlink_to(tmp_path / "show", target_is_directory=True)

    assert list(audio_files(tmp_path / "link")) == [tmp_path / "link" / "ep.mp3"]


def test_a_link_to_a_file_is_an_episode(tmp_path: Path) -> None:
    touch(tmp_path, "elsewhere/ep.mp3")
    (tmp_path / "show").mkdir()
    (tmp_path / "show" / "ep.mp3").symlink_to(tmp_path / "elsewhere" / "ep.mp3")

    assert found(tmp_path / "show") == ["ep.mp3"]


def test_a_folder_named_like_audio_is_a_folder(tmp_path: Path) -> None:
    touch(tmp_path, "show.mp3/ep.mp3")

    assert found(tmp_path) == ["show.mp3/ep.mp3"]


@pytest.mark.parametrize("suffix", sorted(AUDIO_SUFFIXES))
def test_every_kind_of_audio_is_found(tmp_path: Path, suffix: str) -> None:
    touch(tmp_path, f"ep{suffix}")

    assert found(tmp_path) == [f"ep{suffix}"]


def test_a_path_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(AudioError, match=r"gone\.mp3 is not there; check the spelling"):
        list(audio_files(tmp_path / "gone.mp3"))


def test_a_folder_without_audio(tmp_path: Path) -> None:
    touch(tmp_path, "notes.txt")

    with pytest.raises(AudioError, match=r"holds no audio file \(\.3gp"):
        list(audio_files(tmp_path))
