"""Resumable downloads with limits per host, size and time; an unchanged file is not downloaded again."""

import contextlib
import fcntl
import hashlib
import json
import os
import shutil
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from threading import Event
from typing import Any

from urllib3.exceptions import HTTPError

from pipeline.errors import AudioError, TransientError, without_credentials, without_user
from pipeline.settings import settings
from pipeline.sources.deadline import Deadline
from pipeline.sources.http_client import (
    TryLaterError,
    Version,
    encoding_of,
    first_bytes,
    number,
    range_of,
    response_of,
    short,
    turn,
    unreadable_encoding,
    version_in,
    version_of,
)

__all__ = ["Download", "Version", "first_bytes", "interrupted", "version_of"]

BLOCK_BYTES = 1 << 18
TRIES = 4
LONGEST_WAIT_S = 30.0
OWN = "own-"
LEFT_BEHIND_S = 24 * 3600
"""Age in seconds at which a caller's own copy counts as abandoned."""
_interrupted = Event()


class Download:
    """The bytes at a URL, in a folder of the cache; bytes already there are not requested again.

    A lock allows one caller at a time in the folder. A caller that needs the bytes for longer uses `take`, which
    returns a path that no other caller removes or replaces.
    """

    def __init__(self, url: str) -> None:
        self.url = url
        self.folder = settings().cache_dir / "downloads" / hashlib.sha256(url.encode()).hexdigest()[:32]
        self.body = self.folder / "body"
        self._name = without_credentials(url)
        self._part = self.folder / "part"
        self._version_file = self.folder / "version.json"
        self._headers_file = self.folder / "headers.json"

    @property
    def headers(self) -> dict[str, str]:
        """The last response's `content-type`, and as `content-location` the URL that it came from."""
        try:
            return {str(name): str(value) for name, value in json.loads(self._headers_file.read_text()).items()}
        except (OSError, ValueError, AttributeError):
            return {}

    def fetch(self, limit_bytes: int) -> Path:
        """Download the bytes and return their path, valid until any caller calls `forget`.

        Raises:
            AddressError: the URL is invalid, or its host may not be connected to.
            AudioError: the server refuses, or the file is too large or not complete in time.
            TransientError: the server does not answer, or not in time, after several tries.
        """
        with self._alone():
            self._fetch(limit_bytes)
            return self.body

    def take(self, limit_bytes: int) -> Path:
        """Download the bytes and return a path of the caller's own, which the caller must remove.

        Raises:
            AddressError, AudioError, TransientError: as for `fetch`.
        """
        with self._alone():
            self._fetch(limit_bytes)
            self._drop_left_behind()
            own = self.folder / f"{OWN}{uuid.uuid4().hex}"
            try:
                os.link(self.body, own)
            except OSError:  # a file system without hard links
                shutil.copyfile(self.body, own)
            return own

    def forget(self) -> None:
        """Remove the bytes from the cache, except paths returned by `take`."""
        with self._alone():
            for file in (self.body, self._part, self._version_file, self._headers_file):
                file.unlink(missing_ok=True)
            (self.folder / "lock").unlink()  # waiting callers detect the removal and lock a new file
            with contextlib.suppress(OSError):  # not empty: another caller uses it
                self.folder.rmdir()

    @contextmanager
    def _alone(self) -> Iterator[None]:
        """Lock the folder, again if it was removed while this caller waited for the lock."""
        while True:
            try:
                self.folder.mkdir(parents=True, exist_ok=True)
                lock = (self.folder / "lock").open("w")
            except (FileExistsError, FileNotFoundError):
                if self.folder.is_file():
                    raise
                continue  # the folder was removed meanwhile
            with lock:
                fcntl.flock(lock, fcntl.LOCK_EX)
                if not _is_at(self.folder / "lock", lock.fileno()):
                    continue
                yield
                return

    def _drop_left_behind(self) -> None:
        """Remove paths of `take` that killed processes have left behind."""
        for own in self.folder.glob(f"{OWN}*"):
            with contextlib.suppress(FileNotFoundError):  # its owner has just removed it
                if time.time() - own.lstat().st_ctime > LEFT_BEHIND_S:
                    own.unlink()

    def _fetch(self, limit_bytes: int) -> None:
        ends_at: float | None = None
        for tries_left in reversed(range(TRIES)):
            try:
                with turn(self.url):
                    ends_at = ends_at or time.monotonic() + settings().download_time_limit_s
                    return self._try(limit_bytes, ends_at)
            except TryLaterError as error:
                if not tries_left:
                    raise TransientError(f"{error} It was tried {TRIES} times.") from None
                _interrupted.wait(min(error.wait_s, LONGEST_WAIT_S))
        raise AssertionError("one of the tries returns or raises")

    def _try(self, limit_bytes: int, ends_at: float) -> None:
        with response_of(self.url, self._conditions()) as (response, deadline):
            if response.status == 304 and self.body.is_file():
                return
            if response.status == 416:
                self._part.unlink(missing_ok=True)
                raise TryLaterError(f"{self._name} has changed while it was downloaded.", wait_s=0.0)
            first, total = range_of(response)
            resumes = response.status == 206 and bool(self._part_bytes()) and self._fits(response, first)
            if response.status == 206 and not resumes and (self._part_bytes() or first):
                self._part.unlink(missing_ok=True)
                raise TryLaterError(f"{self._name} does not say which part it sends.", wait_s=0.0)
            if response.status not in (200, 206):
                raise AudioError(f"{self._name} answers {response.status}; it may have moved.")
            # The position in a compressed body is not that in the file, so such a download is not resumed.
            version = version_in(response)
            self._note(Version() if encoding_of(response) else version)
            deadline.renew(ends_at - time.monotonic())
            self._write(response, deadline, limit_bytes, resumes=resumes)
            if total and self._part_bytes() < total:
                raise TryLaterError(f"{self._name} sends {self._part_bytes():,} of {total:,} bytes.", wait_s=0.0)
            self._note(version)
            kept = {
                "content-type": response.headers.get("content-type", ""),
                "content-location": without_user(response.url),
            }
            self._headers_file.write_text(json.dumps(kept))
        self._part.replace(self.body)

    def _fits(self, response: Any, first: int | None) -> bool:
        """Return whether a response goes on where the download stopped, in the same version."""
        tag = response.headers.get("etag")
        is_same = not tag or tag == self._version().etag
        return first == self._part_bytes() and is_same and not encoding_of(response)

    def _note(self, version: Version) -> None:
        self._version_file.write_text(json.dumps(asdict(version)))

    def _write(self, response: Any, deadline: Deadline, limit_bytes: int, *, resumes: bool) -> None:
        too_large = (
            f"{self._name} is larger than {limit_bytes / 1e6:,.0f} MB; raise DUET_DOWNLOAD_LIMIT_BYTES if it is right."
        )
        too_slow = (
            f"{self._name} was not there after {settings().download_time_limit_s:g} s; "
            "the same command goes on where this one stopped."
        )
        if unreadable := unreadable_encoding(response):
            raise AudioError(f"{self._name} is sent compressed ({unreadable}), which Duet cannot read.")
        written = self._part_bytes() if resumes else 0
        expected = number(response.headers.get("content-length")) or 0
        if written + expected > limit_bytes:
            raise AudioError(too_large)
        with self._part.open("ab" if resumes else "wb") as file:
            try:
                for block in response.stream(BLOCK_BYTES):
                    if _interrupted.is_set():
                        raise AudioError(f"{self._name}: the download was interrupted; it goes on the next time.")
                    written += file.write(block)
                    if written > limit_bytes:
                        raise AudioError(too_large)
            except (HTTPError, OSError) as error:
                if not deadline.is_over:
                    raise TryLaterError(
                        f"{self._name} broke off after {written / 1e6:.1f} MB ({short(error)})."
                    ) from None
        if deadline.is_over:  # a body without a length seems complete
            raise AudioError(too_slow)

    def _conditions(self) -> dict[str, str]:
        version = self._version()
        if self.body.is_file() and version.is_known:
            named = {"If-None-Match": version.etag, "If-Modified-Since": version.last_modified}
            return {name: value for name, value in named.items() if value}
        if self._part_bytes() and version.validator:
            return {"Range": f"bytes={self._part_bytes()}-", "If-Range": version.validator}
        return {}

    def _part_bytes(self) -> int:
        return self._part.stat().st_size if self._part.is_file() else 0

    def _version(self) -> Version:
        try:
            return Version(**json.loads(self._version_file.read_text()))
        except (OSError, ValueError, TypeError):
            return Version()  # missing or incomplete: the download starts from the beginning


@contextmanager
def interrupted() -> Iterator[None]:
    """Abort all running downloads of this process within the `with` block."""
    _interrupted.set()
    try:
        yield
    finally:
        _interrupted.clear()


def _is_at(path: Path, descriptor: int) -> bool:
    try:
        return os.path.samestat(path.stat(), os.fstat(descriptor))
    except FileNotFoundError:
        return False
