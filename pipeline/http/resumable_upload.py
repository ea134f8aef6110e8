"""Uploads that can be resumed: their bytes on disk, what they are to become beside them, for any server process.

The lock on the file is the operating system's, so it ends with the process that holds it.
"""

import fcntl
import hashlib
import os
import re
import shutil
import time
import uuid
from contextlib import suppress
from pathlib import Path
from typing import BinaryIO

from fastapi import HTTPException
from pydantic import ValidationError

from pipeline.http.file_names import plain
from pipeline.http.uploads import LITTER_S, UNFINISHED, UploadedFile, no_room
from pipeline.settings import settings
from pipeline.sources.file_types import HEAD_BYTES, why_never_audio
from pipeline.types import Model
from pipeline.types.ids import EPISODE_HEX_DIGITS

ABOUT = ".upload.json"
HASH_BLOCK_BYTES = 1 << 20
_ID = re.compile(r"[0-9a-f]{32}")


class UploadPlan(Model):
    """The file that an upload is to become."""

    name: str
    length: int
    owner: str
    """Id of the key that began it."""


class ResumableUpload:
    """An upload in progress; its methods may block."""

    def __init__(self, folder: Path, plan: UploadPlan) -> None:
        self.folder, self.plan = folder, plan

    @classmethod
    def create(cls, uploads: Path, plan: UploadPlan) -> "ResumableUpload":
        """Begin an upload; 413 if it is too large, 429 if its owner has too many unfinished ones."""
        _check_length(plan)
        if sum(it.owner == plan.owner for it in _unfinished(uploads)) >= settings().serve_at_once:
            raise HTTPException(429, "Too many uploads of this key are unfinished.", {"Retry-After": "60"})
        made = cls(uploads / uuid.uuid4().hex, plan.model_copy(update={"name": plain(plan.name)}))
        try:
            made.folder.mkdir(parents=True)
            (made.folder / ABOUT).write_bytes(made.plan.to_json())
            (made.folder / UNFINISHED).touch()
        except OSError as error:
            raise no_room(error) from None
        return made

    @classmethod
    def find(cls, uploads: Path, name: str, owner: str) -> "ResumableUpload":
        """Return an owner's upload by its id; 404 if there is none."""
        folder = uploads / name
        try:
            if not _ID.fullmatch(name):
                raise FileNotFoundError
            plan = UploadPlan.from_json((folder / ABOUT).read_bytes())
        except (OSError, ValidationError):
            raise _unknown() from None
        if plan.owner != owner:
            raise _unknown()
        return cls(folder, plan)

    @property
    def id(self) -> str:
        """The upload's id."""
        return self.folder.name

    @property
    def offset(self) -> int:
        """Number of bytes that have arrived."""
        for path in (self.folder / UNFINISHED, self._path):
            with suppress(FileNotFoundError):
                return path.stat().st_size
        raise _unknown()

    @property
    def expires_at(self) -> float:
        """Time in seconds since the epoch after which the upload may be removed."""
        return self.folder.stat().st_mtime + LITTER_S

    def open(self, offset: int) -> BinaryIO:
        """Return the file, open for writing and locked; 409 at another offset, 423 while another request writes."""
        try:
            file = (self.folder / UNFINISHED).open("ab")
        except OSError:
            raise HTTPException(409, "The upload is complete.") from None
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            file.close()
            raise HTTPException(423, "Another request still writes to this upload; try again in a moment.") from None
        if file.tell() != offset:
            here = file.tell()
            file.close()
            raise HTTPException(409, f"The upload has {here} bytes, not {offset}.", {"Upload-Offset": str(here)})
        os.utime(self.folder)  # so that it is not taken for one that was left
        return file

    def write(self, file: BinaryIO, data: bytes) -> None:
        """Write the next bytes; 413 if they are more than announced, 507 if the disk is full."""
        if file.tell() + len(data) > self.plan.length:
            raise HTTPException(413, f"More than the {self.plan.length} announced bytes arrived.")
        try:
            file.write(data)
            file.flush()
        except OSError as error:
            raise no_room(error) from None

    def settle(self) -> None:
        """Check the bytes so far, and complete the file if all have arrived; 415 if they are not audio."""
        offset = self.offset
        if offset >= min(HEAD_BYTES, self.plan.length):
            with (self.folder / UNFINISHED).open("rb") as file:
                reason = why_never_audio(file.read(HEAD_BYTES))
            if reason:
                self.drop()
                raise HTTPException(415, f"{self.plan.name} cannot be used: {reason}.")
        if offset == self.plan.length:
            (self.folder / UNFINISHED).replace(self._path)

    def finished(self) -> UploadedFile:
        """Return the complete file, which `pipeline.submit` accepts; 409 if bytes are missing."""
        if not self._path.is_file():
            raise HTTPException(409, f"{self.plan.name} has {self.offset} of {self.plan.length} bytes; send the rest.")
        digest = hashlib.sha256()
        with self._path.open("rb") as file:
            while block := file.read(HASH_BLOCK_BYTES):
                digest.update(block)
        name = self.plan.name
        return UploadedFile(self._path, name, digest.hexdigest()[:EPISODE_HEX_DIGITS], self.plan.length)

    def drop(self) -> None:
        """Remove an upload that no job reads."""
        shutil.rmtree(self.folder, ignore_errors=True)

    @property
    def _path(self) -> Path:
        return self.folder / self.plan.name


def _check_length(plan: UploadPlan) -> None:
    limit_bytes = settings().serve_upload_limit_bytes
    if plan.length > limit_bytes:
        raise HTTPException(413, f"{plan.name} is larger than the {limit_bytes} bytes that this server takes.")
    if plan.length == 0:
        raise HTTPException(422, f"{plan.name} is empty (0 bytes); send it again.")


def _unfinished(uploads: Path) -> list[UploadPlan]:
    found = []
    for part in uploads.glob(f"*/{UNFINISHED}"):
        with suppress(OSError, ValidationError):
            if time.time() - part.stat().st_mtime < LITTER_S:
                found.append(UploadPlan.from_json((part.parent / ABOUT).read_bytes()))
    return found


def _unknown() -> HTTPException:
    return HTTPException(404, "There is no such upload, or it has expired; send the file from its start.")
