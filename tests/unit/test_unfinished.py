"""Unfinished downloads and folders of the system are left out with a reason, and whole files are taken."""

from pathlib import Path

import pytest

from pipeline.sources import LocalFile, Skipped
from pipeline.sources.files import local_episodes
from pipeline.sources.unfinished import is_partial, why_passed_over
from tests.batches import ID3

UNFINISHED = [
    "ep.mp3.part", "ep.mp3.!qB", "ep.mp3.!ut", "ep.mp3.bc!", "ep.mp3.!sync", "ep.temp.m4a", "ep.f140.m4a.part",
    "ep.m4a.part-Frag3", "ep.m4a.part-Frag3.part", "ep.m4a.ytdl", "Unconfirmed 5.crdownload", "ep.mp3.opdownload",
    "ep.mp3.partial", "ep.mp3.fdmdownload", "ep.mp3.unfinished", "ep.mp3.incomplete", "~syncthing~ep.mp3.tmp",
    "001.part.met", "ep.mp3.filepart", "ep.mp3.crswap", "ep.mp3.dtapart", "ep.mp3.xltd", "ep.mp3.6e5BA3dD",
    "EP.TMP.MP3", "ep.mp3.a1b2c3d4.partial", "~uTorrentPartFile_1F.dat", "ep.mp3_.gstmp",
]  # fmt: skip
WHOLE = [
    "ep.mp3", "Part 1.mp3", "My favourite part.mp3", "ep.part1.mp3", "temp.mp3", "ep.mp3.1", "show.mp3.20240102",
    "Help!.mp3", "What!? Temp.mp3", "ep.f140.m4a", "deadbeef.mp3", "S01.E02.m4a", "Download.mp3", "incomplete.mp3",
]  # fmt: skip


def write(path: Path, data: bytes = ID3) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)


def taken(folder: Path) -> list[str]:
    return [Path(it.name).name for it in local_episodes(str(folder)) if isinstance(it, LocalFile)]


def skipped(folder: Path) -> dict[str, str]:
    return {Path(it.source).name: it.reason for it in local_episodes(str(folder)) if isinstance(it, Skipped)}


@pytest.mark.parametrize("name", UNFINISHED)
def test_an_unfinished_download_is_skipped_and_taken_when_it_is_whole(tmp_path: Path, name: str) -> None:
    write(tmp_path / name)
    assert skipped(tmp_path) == {name: "it is a download that has not ended"}
    assert is_partial(name)

    (tmp_path / name).rename(tmp_path / "ep.mp3")

    assert taken(tmp_path) == ["ep.mp3"]


@pytest.mark.parametrize("name", WHOLE)
def test_a_whole_file_is_taken_for_what_it_is(tmp_path: Path, name: str) -> None:
    write(tmp_path / name)

    assert taken(tmp_path) == [name]


@pytest.mark.parametrize("beside", ["ep.mp3.aria2", "ep.mp3.st", "ep.mp3.lftp-pget-status", "ep.mp3.ytdl"])
def test_a_file_beside_which_a_downloader_keeps_its_place_is_skipped(tmp_path: Path, beside: str) -> None:
    write(tmp_path / "ep.mp3")
    write(tmp_path / beside, b"\0\x01 a place")

    assert taken(tmp_path) == []
    assert skipped(tmp_path)["ep.mp3"] == "it is a download that has not ended"


@pytest.mark.parametrize("beside", ["ep.mp3.part", "ep.Xy12ab34.mp3.part"])
def test_an_empty_name_that_a_browser_reserves_is_a_download(tmp_path: Path, beside: str) -> None:
    write(tmp_path / "ep.mp3", b"")
    write(tmp_path / beside)

    assert skipped(tmp_path) == dict.fromkeys(["ep.mp3", beside], "it is a download that has not ended")


def test_a_whole_file_is_taken_while_it_is_downloaded_again(tmp_path: Path) -> None:
    write(tmp_path / "ep.mp3")
    write(tmp_path / "ep.mp3.part")

    assert taken(tmp_path) == ["ep.mp3"]


@pytest.mark.parametrize(
    ("folder", "reason"),
    [
        *[
            (name, "it is a folder of the system")
            for name in ("lost+found", "$RECYCLE.BIN", "System Volume Information", "@eaDir", "#recycle", "#snapshot")
        ],
        ("__MACOSX", "it is a folder of the system"),
        ("ep.mp3.download", "it is a download that has not ended"),
        ("Incomplete", "it is a folder of downloads that have not ended"),
    ],
)
def test_folders_without_episodes_are_skipped_with_a_reason(tmp_path: Path, folder: str, reason: str) -> None:
    write(tmp_path / folder / "old.mp3")
    write(tmp_path / "ep.mp3")

    assert taken(tmp_path) == ["ep.mp3"]
    assert skipped(tmp_path) == {folder: reason}
    assert why_passed_over(f"show/{folder}/old.mp3") == reason
    assert taken(tmp_path / folder) == ["old.mp3"]


def test_objects_are_left_out_by_any_part_of_their_key() -> None:
    assert why_passed_over("show/ep.mp3") is None
    assert why_passed_over("show/.ep.mp3.a1b2C3") == "it is hidden"
    assert why_passed_over(".trash/ep.mp3") == "it is hidden"
    assert why_passed_over("show/ep.mp3.!qB") == "it is a download that has not ended"
    assert why_passed_over("") is None
