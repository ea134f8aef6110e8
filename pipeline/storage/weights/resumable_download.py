"""Resumable download of a large object: parallel byte ranges with a journal, so that a killed download continues."""

import fcntl
import json
import os
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from contextlib import contextmanager
from hashlib import sha256
from pathlib import Path
from threading import Event
from typing import Self

from pipeline.errors import TransientError, WeightsError
from pipeline.storage.s3 import S3Object, S3Storage
from pipeline.storage.weights.ranged_download import PART_BYTES, PARTS_AT_ONCE, ByteRange, byte_ranges_of, read_range

OnBytes = Callable[[int], None]


def ignore(_: int) -> None:
    """Ignore the number of received bytes."""


def fetch(
    storage: S3Storage, it: S3Object, target: Path, digest: str | None = None, on_bytes: OnBytes = ignore
) -> None:
    """Download an object to a path atomically; an interrupted download resumes with its finished ranges.

    A second process that downloads the same object waits for the first one and uses its file.

    Args:
        storage: storage of the object.
        it: the object as listed; another version of it raises StorageError.
        target: path of the file.
        digest: expected SHA-256 in hex; None means no verification.
        on_bytes: called with the number of new bytes, those of an interrupted download included.

    Raises:
        StorageError, TransientError: the bucket rejects the request, or does not respond.
        WeightsError: the checksum is another one; the download is removed.
        OSError: there is no space for it.
    """
    target.parent.mkdir(parents=True, exist_ok=True)
    unfinished = target.with_name(f"{target.name}.part")
    with _lock(unfinished) as descriptor:
        if target.is_file():
            unfinished.unlink(missing_ok=True)
            return
        _fill(storage, it, unfinished, descriptor, digest, on_bytes)
        unfinished.replace(target)
        _journal_of(unfinished).unlink()


def _fill(storage: S3Storage, it: S3Object, path: Path, descriptor: int, digest: str | None, on_bytes: OnBytes) -> None:
    for is_last in (False, True):
        with DownloadJournal(_journal_of(path), it, is_valid=_has_size(descriptor, it.size_bytes)) as journal:
            is_resumed = bool(journal.done)
            found = _download(storage, it, descriptor, journal, on_bytes)
        if digest in (None, found):
            return
        _journal_of(path).unlink()
        # After a crash of the machine the journal may list a range whose bytes are lost: start over once.
        if is_last or not is_resumed:
            path.unlink()
            raise WeightsError(
                f"{storage.uri}/{it.name} is damaged (its SHA-256 is not the one in SHA256SUMS); upload it again."
            )
        on_bytes(-it.size_bytes)


def _download(storage: S3Storage, it: S3Object, descriptor: int, journal: "DownloadJournal", on_bytes: OnBytes) -> str:
    parts = byte_ranges_of(it)
    missing = [part for part in parts if part.index not in journal.done]
    digest = _Digest(descriptor, parts)
    on_bytes(it.size_bytes - sum(part.size_bytes for part in missing))
    over = Event()
    with ThreadPoolExecutor(PARTS_AT_ONCE) as pool:
        running = [pool.submit(_write, storage, it, part, descriptor, over) for part in missing]
        try:
            for one in as_completed(running):
                journal.add(one.result())
                on_bytes(one.result().size_bytes)
                digest.advance(journal.done)
        except BaseException:
            over.set()
            pool.shutdown(cancel_futures=True)
            raise
    digest.advance(journal.done)
    return digest.hex()


def _write(storage: S3Storage, it: S3Object, part: ByteRange, descriptor: int, over: Event) -> ByteRange:
    for at, block in read_range(storage, it, part):
        if over.is_set():
            raise TransientError(f"{storage.uri}/{it.name}: the download was broken off.")
        os.pwrite(descriptor, block, at)
    return part


class _Digest:
    """The SHA-256 of a file that is written in any order, updated up to the first missing range."""

    def __init__(self, descriptor: int, parts: Sequence[ByteRange]) -> None:
        self._descriptor, self._parts = descriptor, parts
        self._sha256, self._next = sha256(), 0

    def advance(self, done: set[int]) -> None:
        while self._next < len(self._parts) and self._next in done:
            part = self._parts[self._next]
            self._sha256.update(os.pread(self._descriptor, part.size_bytes, part.first))
            self._next += 1

    def hex(self) -> str:
        return self._sha256.hexdigest()


class DownloadJournal:
    """The finished ranges of an unfinished file, stored beside it; empty for another version of the object."""

    def __init__(self, path: Path, it: S3Object, *, is_valid: bool) -> None:
        header = json.dumps({"tag": it.tag, "size_bytes": it.size_bytes, "part_bytes": PART_BYTES})
        lines = path.read_text("utf-8").splitlines() if is_valid and path.is_file() else []
        if lines[:1] != [header]:
            path.write_text(f"{header}\n", "utf-8")
            lines = []
        # A line that was being written in a crash has another length.
        self.done = {int(line) for line in lines[1:] if len(line) == 8 and line.isdigit()}
        self._path = path

    def __enter__(self) -> Self:
        self._file = self._path.open("a", encoding="utf-8")
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()

    def add(self, part: ByteRange) -> None:
        """Record a finished range."""
        self.done.add(part.index)
        self._file.write(f"{part.index:08d}\n")
        self._file.flush()


def _journal_of(unfinished: Path) -> Path:
    return unfinished.with_name(f"{unfinished.name}s")


def _has_size(descriptor: int, size_bytes: int) -> bool:
    """Return whether a file has its full size already, and allocate that if not."""
    if os.fstat(descriptor).st_size == size_bytes:
        return True
    os.ftruncate(descriptor, size_bytes)
    if size_bytes and hasattr(os, "posix_fallocate"):
        os.posix_fallocate(descriptor, 0, size_bytes)  # so a full disk fails before 9 GB are downloaded
    return False


@contextmanager
def _lock(path: Path) -> Iterator[int]:
    """Yield the descriptor of a file under an exclusive lock, which ends with the process."""
    while True:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o644)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            if _is_at(path, descriptor):
                yield descriptor
                return
        finally:  # if not at its path, the previous owner has renamed or removed it
            os.close(descriptor)


def _is_at(path: Path, descriptor: int) -> bool:
    try:
        return os.path.samestat(path.stat(), os.fstat(descriptor))
    except FileNotFoundError:
        return False
