"""Uploaded audio: written to disk as it arrives, counted, checked and hashed, never whole in memory."""

import errno
import hashlib
import re
import shutil
import time
import uuid
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from fastapi import HTTPException

from pipeline.client.retention.job_files import UPLOADS
from pipeline.errors import StorageError
from pipeline.http.file_names import plain
from pipeline.settings import settings
from pipeline.sources.digest_cache import Digests
from pipeline.sources.file_types import HEAD_BYTES, why_never_audio
from pipeline.sources.files import copy_file
from pipeline.state.job_store import JobStore
from pipeline.storage import Storage, path_of
from pipeline.types import Episode, JobSpec
from pipeline.types.ids import EPISODE_HEX_DIGITS, slug

UNFINISHED = ".part"
_OWN_FOLDER = re.compile(rf"/{UPLOADS}/([0-9a-f]{{32}})/")
LITTER_S = 24 * 3600.0
"""Seconds without growth after which an upload counts as left by a dead server."""


@dataclass(frozen=True)
class UploadedFile:
    """A complete upload on disk, which `pipeline.submit` accepts as a source."""

    path: Path
    name: str
    """The file name from the client."""
    episode: str
    """First 16 hex digits of the SHA-256 of its bytes."""
    size_bytes: int

    def known_episode(self, digests: Digests) -> Episode:
        """Return the episode."""
        return Episode(id=self.episode, source=self.name, slug=slug(self.name), size_bytes=self.size_bytes)

    def read(self, digests: Digests) -> Episode:
        """Return the episode; its bytes were hashed as they arrived."""
        return self.known_episode(digests)

    def copy_audio(self, storage: Storage, name: str) -> str:
        """Return the URI for the pools: of this file, or of a copy beside results in a bucket."""
        return copy_file(self.path, storage, name)

    def forget(self) -> None:
        """Do nothing; `clear_away` removes the file."""

    def clear_away(self, spec: JobSpec | None) -> None:
        """Remove the file unless a job's pools read it."""
        if spec is None or spec.audio_uri != self.path.as_uri():
            shutil.rmtree(self.path.parent, ignore_errors=True)


class Upload:
    """An upload in progress; its methods may block."""

    def __init__(self, folder: Path, name: str) -> None:
        self.name = plain(name)
        self._folder = folder / uuid.uuid4().hex
        self._digest = hashlib.sha256()
        self._head = b""
        self._size_bytes = 0
        try:
            self._folder.mkdir(parents=True)
            self._file = (self._folder / UNFINISHED).open("xb")
        except OSError as error:
            raise no_room(error) from None

    def write(self, data: bytes) -> None:
        """Write the next bytes; 413 if they are too many, 415 if they are not audio, 507 if the disk is full."""
        self._size_bytes += len(data)
        limit_bytes = settings().serve_upload_limit_bytes
        if self._size_bytes > limit_bytes:
            raise HTTPException(413, f"{self.name} is larger than the {limit_bytes} bytes that this server takes.")
        if len(self._head) < HEAD_BYTES:
            self._head += data[: HEAD_BYTES - len(self._head)]
            if len(self._head) == HEAD_BYTES:
                self._check_kind()
        self._digest.update(data)
        try:
            self._file.write(data)
        except OSError as error:
            raise no_room(error) from None

    def finish(self) -> UploadedFile:
        """Return the complete file."""
        self._check_kind()
        path = self._folder / self.name
        try:
            self._file.close()
            (self._folder / UNFINISHED).replace(path)
        except OSError as error:
            raise no_room(error) from None
        return UploadedFile(path, self.name, self._digest.hexdigest()[:EPISODE_HEX_DIGITS], self._size_bytes)

    def drop(self) -> None:
        """Remove the incomplete upload."""
        with suppress(OSError):
            self._file.close()
        shutil.rmtree(self._folder, ignore_errors=True)

    def _check_kind(self) -> None:
        if not self._head:
            raise HTTPException(422, f"{self.name} is empty (0 bytes); send it again.")
        if reason := why_never_audio(self._head):
            raise HTTPException(415, f"{self.name} cannot be used: {reason}.")


def folder_for(destination: str) -> Path:
    """Return the folder of uploads: beside results in a folder, for the pools to read, else in the cache."""
    parts = urlsplit(destination)
    base = path_of(destination) if parts.scheme == "file" else settings().cache_dir.absolute()
    return base / UPLOADS


def prepare(folder: Path) -> None:
    """Create the folder, and remove unfinished uploads of a server that died.

    Raises:
        StorageError: the folder cannot be written.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for left in folder.glob(f"*/{UNFINISHED}"):
            if time.time() - left.stat().st_mtime > LITTER_S:
                shutil.rmtree(left.parent, ignore_errors=True)
    except OSError as error:
        raise StorageError(
            f"{folder} cannot be used for uploads: {error.strerror}; choose another folder with --to."
        ) from None


def sweep(folder: Path, job_store: JobStore) -> int:
    """Remove uploads that no job reads, and return their number.

    They are left by failed requests, or by a job that was submitted again with another upload. Uploads of the last
    day are skipped, since their job may not be stored yet.

    Raises:
        BrokerError: the broker does not answer.
    """
    before = time.time() - LITTER_S
    old = {it.name: it for it in folder.glob("*") if it.is_dir() and it.stat().st_mtime < before}
    if not old:
        return 0
    jobs = job_store.jobs()
    if not jobs:
        return 0  # an emptied or different broker does not know the jobs that read uploads
    for record in job_store.fields(jobs, ["spec"]):
        # Not parsed, since a job of another version of Duet has an upload too.
        for name in _OWN_FOLDER.findall(record["spec"] or ""):
            old.pop(name, None)
    for left in old.values():
        shutil.rmtree(left, ignore_errors=True)
    return len(old)


def no_room(error: OSError) -> HTTPException:
    """Return the answer for bytes that cannot be written."""
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return HTTPException(507, "The server has no room for this upload; try again when it has.")
    return HTTPException(500, f"The upload cannot be kept: {error.strerror}.")
