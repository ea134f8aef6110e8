"""Copies of remote audio: within a limit, the least recently used one goes first, one that is in use never."""

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from pipeline.storage.copies import LITTER_S, Copies

URI = "s3://podcasts/show"
HOLD = """
import sys
from pathlib import Path
from pipeline.storage.copies import Copies
with Copies(Path(sys.argv[1]), 0).held(Path(sys.argv[2])) as is_there:
    print(is_there, flush=True)
    sys.stdin.read()
"""


def kept(copies: Copies, name: str, size_bytes: int, used_ago_s: float = 0.0) -> Path:
    path = copies.path(f"{URI}/{name}", "1")
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(bytes(size_bytes))
    os.utime(path, (time.time() - used_ago_s,) * 2)
    return path


def test_what_was_used_longest_ago_makes_room(tmp_path: Path) -> None:
    copies = Copies(tmp_path, 100)
    old, older, new = kept(copies, "a.mp3", 40, 60), kept(copies, "b.mp3", 40, 90), kept(copies, "c.mp3", 20, 10)

    copies.make_room(30)

    assert (old.exists(), older.exists(), new.exists()) == (True, False, True)


def test_what_is_used_again_is_not_the_oldest_any_more(tmp_path: Path) -> None:
    copies = Copies(tmp_path, 50)
    first, second = kept(copies, "a.mp3", 40, 90), kept(copies, "b.mp3", 40, 60)

    assert copies.mark_used(first)
    copies.make_room()

    assert (first.exists(), second.exists()) == (True, False)


def test_a_copy_that_another_process_reads_stays_until_that_process_has_ended(tmp_path: Path) -> None:
    # Given a process that holds the only copy
    copies = Copies(tmp_path, 0)
    path = kept(copies, "a.mp3", 40, 90)
    holder = subprocess.Popen(
        [sys.executable, "-c", HOLD, str(tmp_path), str(path)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert holder.stdout
    assert holder.stdout.readline() == "True\n"

    # When room is made, and the object forgotten, although
    copies.make_room(1000)
    assert copies.forget(f"{URI}/a.mp3") == 0

    # Then it is still there, until its reader is killed
    assert path.exists()
    holder.kill()
    holder.communicate()
    copies.make_room()
    assert not path.exists()


def test_who_comes_too_late_is_told_that_the_copy_was_removed(tmp_path: Path) -> None:
    copies = Copies(tmp_path, 0)
    path = kept(copies, "a.mp3", 40)
    copies.make_room()

    with copies.held(path) as is_there:
        assert not is_there


def test_every_version_of_an_object_is_forgotten_and_nothing_else(tmp_path: Path) -> None:
    copies = Copies(tmp_path, 1000)
    other = kept(copies, "b.mp3", 1)
    for tag in "12":
        copies.path(f"{URI}/a.mp3", tag).write_bytes(b"sound")

    assert copies.forget(f"{URI}/a.mp3") == 2

    assert list(copies.folder.iterdir()) == [other]


@pytest.mark.parametrize(("grown_ago_s", "stays"), [(60.0, True), (LITTER_S + 60.0, False)])
def test_a_download_goes_once_it_was_plainly_left_behind(tmp_path: Path, grown_ago_s: float, stays: bool) -> None:
    copies = Copies(tmp_path, 0)
    part = kept(copies, "a.mp3", 1).with_name("a.mp3.0123.part.4567")
    part.write_bytes(bytes(10))
    os.utime(part, (time.time() - grown_ago_s,) * 2)

    copies.make_room()

    assert part.exists() is stays


def test_copies_of_an_earlier_version_go_and_a_models_files_stay(tmp_path: Path) -> None:
    # Given the folder of an earlier version with an episode, and a file that a model's folder has too
    folder = tmp_path / "objects" / "ab"
    folder.mkdir(parents=True)
    for name in ("episode.mp3", "weights.safetensors"):
        (folder / name).write_bytes(bytes(10))
        os.utime(folder / name, (time.time() - 2 * LITTER_S,) * 2)
    (tmp_path / "weights.safetensors").hardlink_to(folder / "weights.safetensors")

    Copies(tmp_path, 0).make_room()

    assert [it.name for it in folder.iterdir()] == ["weights.safetensors"]
