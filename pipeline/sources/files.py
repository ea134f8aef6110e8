"""Episodes in local files: a file, a folder searched recursively, or a pattern."""

import glob
import os
import stat
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from pipeline.errors import AudioError
from pipeline.logs import as_duet_error
from pipeline.sources.access import check_source
from pipeline.sources.digest_cache import Digests
from pipeline.sources.file_types import HEAD_BYTES, has_audio_suffix, why_not_audio
from pipeline.sources.source import Found
from pipeline.sources.unfinished import UNFINISHED, is_being_downloaded, why_folder_passed_over
from pipeline.storage import Storage, expanded
from pipeline.types import Episode
from pipeline.types.found import Rejected, Skipped
from pipeline.types.ids import episode_id, slug
from pipeline.types.text import well_formed

RACY_S = 2.0
"""Age in seconds below which a file may change again without a change of its modification time."""
MARK = "result.json"
"""The manifest; a folder with it is one of Duet's results."""


@dataclass(frozen=True)
class LocalFile:
    """Audio in a local file, which the pools read in place or from a copy in a bucket."""

    path: Path

    @property
    def name(self) -> str:
        """The path as given or found, with characters replaced that are not UTF-8."""
        return well_formed(str(self.path))

    def known_episode(self, digests: Digests) -> Episode | None:
        """Return the episode if a file with this inode, size and time has been read before."""
        known = digests.get(_key(self._stat()))
        return self._episode(*known) if known else None

    def read(self, digests: Digests) -> Episode:
        """Return the episode; a new or changed file is read once."""
        if known := self.known_episode(digests):
            return known
        before = self._stat()
        if not before.st_size:
            raise AudioError(f"{self.path} is empty (0 bytes); copy it again from where it came.")
        try:
            with self.path.open("rb") as audio:
                digest = episode_id(audio)
        except OSError as error:
            raise AudioError(f"{self.path} cannot be read: {error.strerror}.") from None
        if _key(before) == _key(self._stat()) and time.time() - before.st_mtime > RACY_S:
            digests.put(_key(before), digest, before.st_size)
        return self._episode(digest, before.st_size)

    def copy_audio(self, storage: Storage, name: str) -> str:
        """Upload the file if the results go to a bucket; else the pools read it in place."""
        return copy_file(self.path, storage, name)

    def forget(self) -> None:
        """Do nothing, as reading a local file caches no bytes."""

    def _episode(self, digest: str, size_bytes: int) -> Episode:
        return Episode(id=digest, source=self.name, slug=slug(self.path.name), size_bytes=size_bytes)

    def _stat(self) -> os.stat_result:
        check_source(self.path.absolute().as_uri())
        try:
            found = self.path.stat()
        except FileNotFoundError:
            raise AudioError(f"No such file or folder: {self.path}.") from None
        except OSError as error:
            raise AudioError(f"{self.path} cannot be read: {error.strerror}.") from None
        if stat.S_ISDIR(found.st_mode):
            raise AudioError(f"{self.path} is a folder; submit_folder() takes folders.")
        if not stat.S_ISREG(found.st_mode):
            raise AudioError(f"{self.path} is not a file that can be read twice; save the audio as a file.")
        return found


def copy_file(path: Path, storage: Storage, name: str) -> str:
    """Return the URI of a file for the pools: its own, or that of an uploaded copy if results go to a bucket.

    Raises:
        StorageError, TransientError: the upload failed.
    """
    if storage.uri.startswith("file://"):
        return path.absolute().as_uri()
    if not storage.exists(name):
        storage.put(name, path)
    return f"{storage.uri}/{name}"


def local_episodes(place: str) -> Iterator[Found]:
    """Yield a file, the files below a folder, or the matches of a pattern, in the order of names.

    Raises:
        AudioError: the path does not exist, or nothing matches the pattern.
    """
    path = expanded(place)
    if path.is_dir():
        yield from _below(path, set())
    elif path.exists():
        yield LocalFile(path)
    elif glob.has_magic(place):
        # Unlike Path.glob, it accepts absolute patterns and follows links.
        # A folder that exists is meant as it is called, even if that looks like a pattern.
        folder = next(it for it in path.parents if it.exists())
        pattern = os.path.join(glob.escape(str(folder)), path.relative_to(folder))  # noqa: PTH118
        matches = sorted(glob.glob(pattern, recursive=True))  # noqa: PTH207
        if not matches:
            raise AudioError(f"Nothing matches {place}; check the spelling.")
        for match in map(Path, matches):
            # `**` matches folders along with the files in them; searching those folders too would repeat the files.
            yield from () if match.is_dir() and "**" in place else _from_match(match)
    else:
        raise AudioError(f"No such file or folder: {path}.")


def _from_match(path: Path) -> Iterator[Found]:
    if _is_folder(path):
        yield from _below(path, set())
    else:
        yield _judged(path)


def _below(folder: Path, seen: set[tuple[int, int]]) -> Iterator[Found]:
    """Yield the files in a folder, then those in its subfolders, following links and visiting each folder once."""
    try:
        own = folder.stat()
        entries = sorted(folder.iterdir())
    except OSError as error:
        yield Rejected(str(folder), f"{folder} cannot be read: {error.strerror}.")
        return
    if (own.st_dev, own.st_ino) in seen:
        yield Skipped(str(folder), "it leads to a folder that was searched already")
        return
    seen.add((own.st_dev, own.st_ino))
    if folder / MARK in entries:
        return  # results of Duet among the episodes
    folders = []
    for entry in entries:
        if entry.name.startswith("."):
            yield Skipped(str(entry), "it is hidden")
        elif not _is_folder(entry):
            yield _judged(entry)
        elif reason := why_folder_passed_over(entry.name):
            yield Skipped(str(entry), reason)
        else:
            folders.append(entry)
    for below in folders:
        yield from _below(below, seen)


def _is_folder(path: Path) -> bool:
    """Return whether a path is a folder; False if it is too long for the system, which reading it reports."""
    try:
        return path.is_dir()
    except OSError:
        return False


def _judged(path: Path) -> Found:
    """Return the source of a file; any error rejects this file only."""
    name = str(path)
    try:
        if is_being_downloaded(path):
            return Skipped(name, UNFINISHED)
        found = path.stat()
        if not stat.S_ISREG(found.st_mode):
            return Skipped(name, "it is no regular file")
        if not found.st_size and has_audio_suffix(name):
            return Rejected(name, f"{path} is empty (0 bytes); copy it again from where it came.")
        with path.open("rb") as file:
            reason = why_not_audio(name, file.read(HEAD_BYTES))
    except OSError as error:
        return Rejected(name, f"{path} cannot be read: {error.strerror}.")
    except Exception as error:
        return Rejected(name, str(as_duet_error(error, str(path))))
    return Skipped(name, reason) if reason else LocalFile(path)


def _key(found: os.stat_result) -> str:
    return f"file {found.st_dev}:{found.st_ino}:{found.st_size}:{found.st_mtime_ns}"
