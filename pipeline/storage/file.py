"""Storage in a local folder."""

import errno
import io
import os
import shutil
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from typing import IO

from pipeline.errors import StorageError

PROBE = ".duet-probe"
MKDIR_TRIES = 10
NO_SPACE = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


class FileStorage:
    """Objects as files below a folder; a write ends with a rename, so a reader never sees a partial file."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.uri = folder.absolute().as_uri().rstrip("/")

    def put(self, name: str, data: bytes | Path) -> None:
        """Write a temporary file beside the target, then rename it."""
        target = self._path(name)
        unfinished = target.with_name(f".{target.name}.{uuid.uuid4().hex[:8]}.part")
        source = self._open(data) if isinstance(data, Path) else io.BytesIO(data)
        with self._readable_errors(name), source:
            try:
                with self._create(unfinished) as file:
                    shutil.copyfileobj(source, file)
                    file.flush()
                    os.fsync(file.fileno())
                unfinished.replace(target)
            finally:
                unfinished.unlink(missing_ok=True)

    def get(self, name: str) -> bytes:
        """Return a file's bytes."""
        with self._readable_errors(name):
            return self._path(name).read_bytes()

    def exists(self, name: str) -> bool:
        """Return whether the file exists."""
        with self._readable_errors(name):
            return self._path(name).is_file()

    def tag(self, name: str) -> str | None:
        """Return the file's size and modification time."""
        if not self.exists(name):
            return None
        with self._readable_errors(name):
            known = self._path(name).stat()
        return f"{known.st_size}-{known.st_mtime_ns}"

    def folders(self) -> list[str]:
        """Return the names of the immediate subfolders; empty if the folder itself does not exist."""
        with self._readable_errors(""):
            try:
                return sorted(entry.name for entry in os.scandir(self.folder) if entry.is_dir())
            except (FileNotFoundError, NotADirectoryError):
                return []

    def list(self, prefix: str = "") -> list[str]:
        """Return the names of all files below the folder that begin with a prefix."""
        start = self._path(prefix).parent if prefix and not prefix.endswith("/") else self._path(prefix)
        names: list[str] = []
        with self._readable_errors(prefix):
            for folder, _, files in os.walk(start, onerror=_unless_gone):
                names += [Path(folder, file).relative_to(self.folder).as_posix() for file in files]
        return sorted(name for name in names if name.startswith(prefix) and not name.endswith(".part"))

    def delete(self, name: str) -> None:
        """Remove a file, and the folders above it that become empty."""
        path = self._path(name)
        with self._readable_errors(name):
            path.unlink(missing_ok=True)
        for folder in path.parents:
            if folder == self.folder:
                break
            try:
                folder.rmdir()
            except OSError:
                break  # not empty, or removed already: neither is an error

    def local_path(self, name: str) -> Path:
        """Return the file's own path."""
        if not self.exists(name):
            raise StorageError(f"{self._path(name)} is not there.")
        return self._path(name)

    @contextmanager
    def held_path(self, name: str) -> Iterator[Path]:
        """Yield the file's own path."""
        yield self.local_path(name)

    def forget_copies(self, name: str) -> int:
        """Return 0: a folder's files have no copies."""
        return 0

    def check_writable(self) -> None:
        """Write and remove a small file."""
        self.put(PROBE, b"")
        self.delete(PROBE)

    def _open(self, path: Path) -> IO[bytes]:
        try:
            return path.open("rb")
        except OSError as error:
            raise StorageError(f"{path} cannot be read: {error.strerror}.") from None

    def _create(self, path: Path) -> IO[bytes]:
        for _ in range(MKDIR_TRIES):
            try:
                path.parent.mkdir(parents=True, exist_ok=True)
                return path.open("xb")
            except FileNotFoundError:
                continue  # another process has just removed the folder
        raise StorageError(f"No folder can be made at {path.parent}; choose another folder.")

    def _path(self, name: str) -> Path:
        if ".." in PurePosixPath(name).parts or name.startswith("/"):
            raise StorageError(f"{name!r} leads out of {self.uri}; names are relative and never go up.")
        return self.folder / name

    @contextmanager
    def _readable_errors(self, name: str) -> Iterator[None]:
        try:
            yield
        except FileNotFoundError:
            raise StorageError(f"{self._path(name)} is not there.") from None
        except PermissionError:
            raise StorageError(
                f"{self._path(name)} cannot be written or read: permission denied; "
                "choose another folder or give yourself the right."
            ) from None
        except (FileExistsError, NotADirectoryError):
            raise StorageError(
                f"{self._path(name)}: Not a directory: what is above it is a file; choose another folder."
            ) from None
        except OSError as error:
            what_to_do = "free some space or choose" if error.errno in NO_SPACE else "choose"
            raise StorageError(f"{self._path(name)}: {error.strerror or error}; {what_to_do} another folder.") from None


def _unless_gone(error: OSError) -> None:
    if not isinstance(error, FileNotFoundError):
        raise error
