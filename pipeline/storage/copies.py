"""Local cache of a bucket's objects, with a size limit; the least recently used copy is removed first.

A reader has a shared lock on its copy, which ends with its process; a locked copy is never removed. The time of last
use is the access time, set explicitly because many file systems do not update it.
"""

import fcntl
import hashlib
import os
import shutil
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

UNFINISHED = ".part"
LITTER_S = 24 * 3600.0
"""Seconds without growth after which an unfinished download counts as abandoned by a killed process."""
MOST_SUFFIX = 12
"""Letters of the longest extension; a key may have 1,000 after a dot."""
EARLIER = "objects"
"""Folder of copies by earlier versions of Duet, and of a model's files until they are linked into their folder."""


@dataclass(frozen=True)
class _Copy:
    path: Path
    size_bytes: int
    used_at: float
    made_at: float

    @property
    def key(self) -> str:
        """The key of its object."""
        return self.path.name.partition("-")[0]


class Copies:
    """The copies in one cache folder, which threads, processes and containers may share."""

    def __init__(self, cache: Path, limit_bytes: int) -> None:
        self.folder = cache / "audio"
        self._earlier = cache / EARLIER
        self._limit_bytes = limit_bytes

    def path(self, uri: str, tag: str) -> Path:
        """Return the path of the copy of a version of an object, whether or not it exists."""
        version = hashlib.sha256(tag.encode()).hexdigest()[:16]
        return self.folder / f"{key_of(uri)}-{version}{suffix_of(uri)}"

    def mark_used(self, path: Path) -> bool:
        """Set a copy's time of last use to now. Return False if it does not exist."""
        try:
            os.utime(path, ns=(time.time_ns(), path.stat().st_mtime_ns))
        except FileNotFoundError:
            return False
        return True

    @contextmanager
    def held(self, path: Path) -> Iterator[bool]:
        """Protect a copy from removal until the context ends; yields False if it has been removed already."""
        try:
            file = path.open("rb")
        except FileNotFoundError:
            yield False
            return
        with file:
            fcntl.flock(file, fcntl.LOCK_SH)
            yield _is_at(path, file.fileno())

    def make_room(self, size_bytes: int = 0) -> None:
        """Remove unused copies until `size_bytes` more are within the limit and fit onto the disk."""
        with self._lock():
            found = sorted(self._all(), key=lambda it: it.used_at)
            free_bytes = shutil.disk_usage(self.folder).free
            over = sum(it.size_bytes for it in found) + size_bytes - self._limit_bytes
            over = max(over, size_bytes - free_bytes)
            for copy in found:
                if over <= 0:
                    return
                if _remove(copy):
                    over -= copy.size_bytes

    def forget(self, uri: str) -> int:
        """Remove the unused copies of every version of an object, and return their number."""
        return self.forget_all({key_of(uri): float("inf")})

    def forget_all(self, forgotten: Mapping[str, float]) -> int:
        """Remove unused copies by object key, if made by the time given for each, and return their number."""
        if not self.folder.is_dir():
            return 0
        with self._lock():
            return sum(_remove(it) for it in self._all() if it.made_at <= forgotten.get(it.key, float("-inf")))

    def _all(self) -> Iterator[_Copy]:
        for path in self.folder.iterdir():
            with suppress(FileNotFoundError):
                known = path.stat()
                is_litter = UNFINISHED in path.name and time.time() - known.st_mtime > LITTER_S
                yield _Copy(
                    path, known.st_size, 0.0 if is_litter else max(known.st_atime, known.st_mtime), known.st_mtime
                )
        for path in self._earlier.glob("*/*"):
            with suppress(FileNotFoundError):
                known = path.stat()
                used_at = max(known.st_atime, known.st_mtime)
                # A model's file that is in use has a second link in the model's folder.
                if known.st_nlink == 1 and time.time() - used_at > LITTER_S:
                    yield _Copy(path, known.st_size, used_at, known.st_mtime)

    @contextmanager
    def _lock(self) -> Iterator[None]:
        """Prevent other processes from removing copies at the same time."""
        self.folder.mkdir(parents=True, exist_ok=True)
        folder = os.open(self.folder, os.O_RDONLY)
        try:
            fcntl.flock(folder, fcntl.LOCK_EX)
            yield
        finally:
            os.close(folder)


def suffix_of(name: str) -> str:
    """Return the lower-case extension of a path or key, or an empty string if it is none that a file may have."""
    suffix = PurePosixPath(name).suffix.lower()
    return suffix if len(suffix) <= MOST_SUFFIX and suffix[1:].isascii() and suffix[1:].isalnum() else ""


def key_of(uri: str) -> str:
    """Return the common prefix of the names of all copies of an object."""
    return hashlib.sha256(uri.encode()).hexdigest()[:32]


def _remove(copy: _Copy) -> bool:
    """Remove a copy. Return False if it is in use, still being written or belongs to another user."""
    if UNFINISHED in copy.path.name and copy.used_at:
        return False
    try:
        with copy.path.open("rb") as file:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            copy.path.unlink()
    except (BlockingIOError, FileNotFoundError, PermissionError):
        return False
    return True


def _is_at(path: Path, descriptor: int) -> bool:
    """Return whether an open file still has that path: it may have been removed before it was locked."""
    try:
        return os.path.samestat(path.stat(), os.fstat(descriptor))
    except FileNotFoundError:
        return False
