"""Storage in a folder: all or nothing, and trouble told in sentences."""

import os
import resource
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from pipeline.errors import StorageError
from pipeline.storage import Storage, as_uri, content_type, join, open_storage
from pipeline.storage.file import FileStorage

NOBODY = 65534
OUTSIDE = ["../secret", "a/../../secret", "..", "/etc/passwd"]
OPERATIONS: dict[str, Callable[[Storage, str], object]] = {
    "put": lambda storage, name: storage.put(name, b"new"),
    "get": lambda storage, name: storage.get(name),
    "exists": lambda storage, name: storage.exists(name),
    "list": lambda storage, name: storage.list(name),
    "delete": lambda storage, name: storage.delete(name),
}


@pytest.fixture
def storage(tmp_path: Path) -> FileStorage:
    return FileStorage(tmp_path / "results")


@contextmanager
def no_room_for_more_than(size_bytes: int) -> Iterator[None]:
    """Let every write of this process fail that makes a file larger."""
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size_bytes, limits[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)


@contextmanager
def no_right_to(folder: Path) -> Iterator[None]:
    """Take the right to a folder from this process, also when it runs as root."""
    mode = folder.stat().st_mode
    is_root = os.geteuid() == 0
    folder.chmod(0)
    if is_root:
        os.seteuid(NOBODY)
    try:
        yield
    finally:
        if is_root:
            os.seteuid(0)
        folder.chmod(mode)


def files_below(folder: Path) -> list[str]:
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*"))


def test_what_is_put_can_be_got(storage: FileStorage) -> None:
    storage.put("a/b/transcript.json", b"{}")

    assert storage.get("a/b/transcript.json") == b"{}"
    assert storage.exists("a/b/transcript.json")


def test_a_file_can_be_put_as_it_is(storage: FileStorage, tmp_path: Path) -> None:
    (tmp_path / "ep.mp3").write_bytes(b"sound")

    storage.put("ep.mp3", tmp_path / "ep.mp3")

    assert storage.get("ep.mp3") == b"sound"
    assert (tmp_path / "ep.mp3").exists()


def test_a_newer_object_takes_the_place_of_the_older(storage: FileStorage) -> None:
    storage.put("result.json", b"a longer, older one")
    storage.put("result.json", b"new")

    assert storage.get("result.json") == b"new"
    assert files_below(storage.folder) == ["result.json"]


@pytest.mark.parametrize("as_file", [False, True])
def test_a_write_that_fails_leaves_the_older_object(storage: FileStorage, tmp_path: Path, as_file: bool) -> None:
    large = tmp_path / "large"
    large.write_bytes(bytes(100_000))
    storage.put("result.json", b"old")

    with no_room_for_more_than(4096), pytest.raises(StorageError, match="File too large; free some space"):
        storage.put("result.json", large if as_file else large.read_bytes())

    assert storage.get("result.json") == b"old"
    assert files_below(storage.folder) == ["result.json"]


def test_a_first_write_that_fails_leaves_nothing(storage: FileStorage) -> None:
    with no_room_for_more_than(4096), pytest.raises(StorageError):
        storage.put("result.json", bytes(100_000))

    assert not storage.exists("result.json")
    assert storage.list() == []


def test_a_reader_keeps_the_object_it_has_opened(storage: FileStorage) -> None:
    storage.put("result.json", b"old")

    with storage.local_path("result.json").open("rb") as reader:
        storage.put("result.json", b"new")

        assert reader.read() == b"old"


def test_names_are_listed_in_order(storage: FileStorage) -> None:
    for name in ("b.txt", "a.txt", ".work/2.json", ".work/1.json", "ab/c.txt"):
        storage.put(name, b"")

    assert storage.list() == [".work/1.json", ".work/2.json", "a.txt", "ab/c.txt", "b.txt"]
    assert storage.list("a") == ["a.txt", "ab/c.txt"]
    assert storage.list(".work/") == [".work/1.json", ".work/2.json"]
    assert storage.list(".work/1") == [".work/1.json"]
    assert storage.list("nothing/") == []


def test_an_object_on_its_way_is_not_listed(storage: FileStorage) -> None:
    storage.put("result.json", b"")
    (storage.folder / ".result.json.0123abcd.part").touch()

    assert storage.list() == ["result.json"]


def test_a_folder_that_is_not_there_holds_nothing(storage: FileStorage) -> None:
    assert storage.list() == []
    assert not storage.exists("result.json")


def test_deleting_the_last_object_of_a_folder_removes_the_folder(storage: FileStorage) -> None:
    storage.put(".work/1.json", b"")
    storage.put(".work/2.json", b"")

    storage.delete(".work/1.json")
    assert files_below(storage.folder) == [".work", ".work/2.json"]

    storage.delete(".work/2.json")
    assert files_below(storage.folder) == []


def test_deleting_what_is_not_there_is_no_error(storage: FileStorage) -> None:
    storage.delete("result.json")
    storage.delete(".work/1.json")


def test_two_may_delete_at_once(storage: FileStorage, monkeypatch: pytest.MonkeyPatch) -> None:
    # Given another process that removes the empty folder a moment before this one does.
    rmdir = Path.rmdir

    def beaten_to_it(self: Path) -> None:
        rmdir(self)
        rmdir(self)

    storage.put(".work/1.json", b"")
    monkeypatch.setattr(Path, "rmdir", beaten_to_it)

    storage.delete(".work/1.json")

    assert not storage.exists(".work/1.json")


def test_one_may_write_where_another_clears_up(storage: FileStorage, monkeypatch: pytest.MonkeyPatch) -> None:
    # Given another process that deletes the last object of the folder, and so the folder, just before the write.
    mkdir, cleared = Path.mkdir, []

    def cleared_at_once(self: Path, *args: object, **options: object) -> None:
        mkdir(self, *args, **options)  # type: ignore[arg-type]
        if not cleared:
            cleared.append(self)
            self.rmdir()

    monkeypatch.setattr(Path, "mkdir", cleared_at_once)

    storage.put(".work/1.json", b"here")

    assert storage.get(".work/1.json") == b"here"


def test_an_object_has_a_path_on_this_machine(storage: FileStorage) -> None:
    storage.put("ep.mp3", b"sound")

    assert storage.local_path("ep.mp3").read_bytes() == b"sound"


def test_a_tag_changes_when_the_object_does(storage: FileStorage) -> None:
    assert storage.tag("folder/name.txt") is None
    storage.put("folder/name.txt", b"once")
    first = storage.tag("folder/name.txt")
    assert first == storage.tag("folder/name.txt")
    storage.put("folder/name.txt", b"more")
    assert storage.tag("folder/name.txt") not in (first, None)


@pytest.mark.parametrize("name", OUTSIDE)
@pytest.mark.parametrize("operation", [*OPERATIONS, "local_path"])
def test_no_name_leads_out(storage: FileStorage, tmp_path: Path, operation: str, name: str) -> None:
    (tmp_path / "secret").write_bytes(b"untouched")
    act = OPERATIONS.get(operation, lambda storage, name: storage.local_path(name))

    with pytest.raises(StorageError, match="leads out of"):
        act(storage, name)

    assert (tmp_path / "secret").read_bytes() == b"untouched"


def test_two_dots_within_a_name_are_only_dots(storage: FileStorage) -> None:
    storage.put("a..b/c...txt", b"fine")

    assert storage.list() == ["a..b/c...txt"]


@pytest.mark.parametrize("operation", OPERATIONS)
def test_permission_denied(storage: FileStorage, operation: str) -> None:
    storage.put("ep/result.json", b"old")

    with no_right_to(storage.folder), pytest.raises(StorageError, match="permission denied; choose another folder"):
        OPERATIONS[operation](storage, "ep/result.json")

    assert storage.get("ep/result.json") == b"old"


def test_an_object_that_is_not_there(storage: FileStorage) -> None:
    with pytest.raises(StorageError, match=r"results/transcript\.json is not there\."):
        storage.get("transcript.json")


def test_a_file_where_the_folder_should_be(storage: FileStorage) -> None:
    storage.folder.write_bytes(b"in the way")

    for write in (storage.check_writable, lambda: storage.put("ep/result.json", b"")):
        with pytest.raises(StorageError, match=r"results.*(File exists|Not a directory)"):
            write()


def test_a_folder_where_the_object_should_be(storage: FileStorage) -> None:
    storage.put("result.json/within", b"")

    with pytest.raises(StorageError, match="Is a directory"):
        storage.get("result.json")
    with pytest.raises(StorageError, match="Is a directory"):
        storage.put("result.json", b"")


def test_a_source_that_is_not_there_is_the_one_that_is_named(storage: FileStorage, tmp_path: Path) -> None:
    with pytest.raises(StorageError, match=r"gone\.mp3"):
        storage.put(".work/audio.mp3", tmp_path / "gone.mp3")


def test_a_check_leaves_nothing_behind(storage: FileStorage) -> None:
    storage.check_writable()

    assert files_below(storage.folder) == []


@pytest.mark.parametrize("name", ["plain", "with space", "Über#1", "50% off?", "a+b&c"])
def test_any_folder_comes_back_from_its_uri(tmp_path: Path, name: str) -> None:
    uri = as_uri(tmp_path / name)

    storage = open_storage(uri)
    storage.put("result.json", b"here")

    assert storage.uri == uri
    assert (tmp_path / name / "result.json").read_bytes() == b"here"


def test_a_relative_folder_is_below_the_current_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)

    assert as_uri("results/") == f"{tmp_path.as_uri()}/results"


def test_a_uri_stays_as_it_is_but_for_a_slash_at_its_end() -> None:
    assert as_uri("s3://bucket/prefix/") == "s3://bucket/prefix"
    assert join("s3://bucket/prefix/", "a", "b.json") == "s3://bucket/prefix/a/b.json"


@pytest.mark.parametrize("uri", ["results", "ftp://host/folder", "file://host/folder", "s3://", "http://host/x", ""])
def test_a_place_of_another_kind(uri: str) -> None:
    with pytest.raises(StorageError, match="is no place Duet can write to"):
        open_storage(uri)


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("transcript.json", "application/json"),
        ("transcript.txt", "text/plain; charset=utf-8"),
        ("transcript.srt", "application/x-subrip"),
        ("transcript.VTT", "text/vtt"),
        ("notes.md", "text/markdown; charset=utf-8"),
        (".work/audio.mp3", "application/octet-stream"),
        ("noending", "application/octet-stream"),
    ],
)
def test_an_object_has_the_media_type_of_its_ending(name: str, expected: str) -> None:
    assert content_type(name) == expected


def test_an_object_that_is_not_there_has_no_local_path(tmp_path: Path) -> None:
    with pytest.raises(StorageError, match=r"ep\.mp3 is not there\."):
        FileStorage(tmp_path).local_path("ep.mp3")
