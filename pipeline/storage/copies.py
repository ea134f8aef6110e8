"""Copies of a bucket's objects on this machine: within a limit, and the least recently used one goes first.

Who reads a copy holds a shared lock on it, which ends with its process whatever happens; a copy that is held is never
removed. When a copy was last used is its time of access, set by hand as many file systems do not.
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
"""A download that has not grown for so long was left by a process that was killed."""
EARLIER = "objects"
"""Where copies were kept before, and where a model's files are kept until they have their folder."""


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
        """Return the path of a version of an object once it has been fetched."""
        version = hashlib.sha256(tag.encode()).hexdigest()[:16]
        return self.folder / f"{key_of(uri)}-{version}{PurePosixPath(uri).suffix}"

    def mark_used(self, path: Path) -> bool:
        """Note that a copy is used now; False when it is not there."""
        try:
            os.utime(path, ns=(time.time_ns(), path.stat().st_mtime_ns))
        except FileNotFoundError:
            return False
        return True

    @contextmanager
    def held(self, path: Path) -> Iterator[bool]:
        """Protect a copy from removal meanwhile; yields False when it was removed just before."""
        try:
            file = path.open("rb")
        except FileNotFoundError:
            yield False
            return
        with file:
            fcntl.flock(file, fcntl.LOCK_SH)
            yield _is_at(path, file.fileno())

    def make_room(self, size_bytes: int = 0) -> None:
        """Remove copies that nobody uses until as many bytes more are within the limit, and fit onto the disk."""
        with self._alone():
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
        """Remove every version of an object that nobody uses, and return how many those were."""
        return self.forget_all({key_of(uri): float("inf")})

    def forget_all(self, forgotten: Mapping[str, float]) -> int:
        """Remove the copies that nobody uses of some objects, each by its key, that were made until a time each."""
        if not self.folder.is_dir():
            return 0
        with self._alone():
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
                # A file of a model that is in use has a second name in the model's folder.
                if known.st_nlink == 1 and time.time() - used_at > LITTER_S:
                    yield _Copy(path, known.st_size, used_at, known.st_mtime)

    @contextmanager
    def _alone(self) -> Iterator[None]:
        """Prevent other processes from removing copies at the same time."""
        self.folder.mkdir(parents=True, exist_ok=True)
        folder = os.open(self.folder, os.O_RDONLY)
        try:
            fcntl.flock(folder, fcntl.LOCK_EX)
            yield
        finally:
            os.close(folder)


def key_of(uri: str) -> str:
    """Return the common prefix of the names of all copies of an object."""
    return hashlib.sha256(uri.encode()).hexdigest()[:32]


def _remove(copy: _Copy) -> bool:
    """Remove a copy unless somebody uses it, still writes it, or owns it alone."""
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
    """Whether an open file is still the one of that name: it may have been removed before it was locked."""
    try:
        return os.path.samestat(path.stat(), os.fstat(descriptor))
    except FileNotFoundError:
        return False
