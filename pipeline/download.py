"""Polite downloads: one file at a time from a host, resumed, within limits, not again what has not changed."""

import contextlib
import fcntl
import hashlib
import json
import time
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from functools import lru_cache
from pathlib import Path
from threading import Event, Lock, Semaphore
from typing import Any
from urllib.parse import urlsplit

import urllib3
from urllib3.exceptions import HTTPError, MaxRetryError

from pipeline.addresses import PublicPoolManager, check_url
from pipeline.errors import AudioError, TransientError
from pipeline.settings import settings

AGENT = "Duet (podcast transcripts; asks once, resumes, and sends If-None-Match)"
BLOCK_BYTES = 1 << 18
TRIES = 4
BUSY = {408, 425, 429, 500, 502, 503, 504}
LONGEST_WAIT_S = 30.0
AT_ONCE = 2
"""Connections to one host."""
_turns: defaultdict[str, Semaphore] = defaultdict(lambda: Semaphore(AT_ONCE))
_turns_lock = Lock()
_interrupted = Event()


@dataclass(frozen=True)
class Version:
    """What a server says by which bytes can be told from other bytes at the same address."""

    etag: str = ""
    last_modified: str = ""
    size_bytes: int | None = None

    @property
    def is_known(self) -> bool:
        """Whether it tells anything at all."""
        return bool(self.etag or self.last_modified)

    @property
    def validator(self) -> str:
        """What a request to go on with exactly these bytes may carry (RFC 9110, 13.1.5)."""
        return self.etag if self.etag and not self.etag.startswith("W/") else self.last_modified


class Download:
    """The bytes at an address, in a folder of the cache; what is there already is not asked for again."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.folder = settings().cache_dir / "downloads" / hashlib.sha256(url.encode()).hexdigest()[:32]
        self.body = self.folder / "body"
        self._part = self.folder / "part"
        self._version_file = self.folder / "version.json"

    def fetch(self, limit_bytes: int) -> Path:
        """Bring the bytes here and return their path; they stay until `forget`.

        Raises:
            AddressError: the address is none, or not one that may be connected to.
            AudioError: the server says that it is not to be had, or it is larger than the limit.
            TransientError: the server does not answer, or not in time, after several tries.
        """
        self.folder.mkdir(parents=True, exist_ok=True)
        with (self.folder / "lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            for tries_left in reversed(range(TRIES)):
                try:
                    with _turn(self.url):
                        return self._fetched(limit_bytes)
                except _TryLaterError as error:
                    if not tries_left:
                        raise TransientError(f"{error} It was tried {TRIES} times.") from None
                    _interrupted.wait(min(error.wait_s, LONGEST_WAIT_S))
        raise AssertionError("one of the tries returns or raises")

    def forget(self) -> None:
        """Remove the bytes from the cache."""
        for file in (self.body, self._part, self._version_file, self.folder / "lock"):
            file.unlink(missing_ok=True)
        with contextlib.suppress(OSError):  # somebody has begun to fetch it anew
            self.folder.rmdir()

    def _fetched(self, limit_bytes: int) -> Path:
        with _response(self.url, self._conditions()) as response:
            if response.status == 304 and self.body.is_file():
                return self.body
            if response.status == 416:
                self._part.unlink(missing_ok=True)
                raise _TryLaterError(f"{self.url} has changed while it was downloaded.", wait_s=0.0)
            resumes = response.status == 206 and _begins_at(response) == self._part_bytes()
            if response.status not in (200, 206) or (response.status == 206 and not resumes):
                raise AudioError(f"{self.url} answers {response.status}; it may have moved.")
            self._version_file.write_text(json.dumps(asdict(_version(response))))
            self._write(response, limit_bytes, resumes=resumes)
        self._part.replace(self.body)
        return self.body

    def _write(self, response: Any, limit_bytes: int, *, resumes: bool) -> None:
        too_large = (
            f"{self.url} is larger than {limit_bytes / 1e6:,.0f} MB; raise DUET_DOWNLOAD_LIMIT_BYTES if it is right."
        )
        written = self._part_bytes() if resumes else 0
        expected = int(response.headers.get("content-length") or 0)
        if written + expected > limit_bytes:
            raise AudioError(too_large)
        deadline = time.monotonic() + settings().download_time_limit_s
        with self._part.open("ab" if resumes else "wb") as file:
            try:
                for block in response.stream(BLOCK_BYTES):
                    if _interrupted.is_set():
                        raise AudioError(f"{self.url}: the download was interrupted; it goes on the next time.")
                    written += file.write(block)
                    if written > limit_bytes:
                        raise AudioError(too_large)
                    if time.monotonic() > deadline:
                        raise AudioError(
                            f"{self.url} was not there after {settings().download_time_limit_s:g} s; "
                            "the same command goes on where this one stopped."
                        )
            except (HTTPError, OSError) as error:
                raise _TryLaterError(f"{self.url} broke off after {written / 1e6:.1f} MB ({_short(error)}).") from None

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
            return Version()  # nothing there, or half written: it is fetched from its start


def version_of(url: str) -> Version:
    """Ask a server what it has at an address, without fetching it; an empty version where it does not say.

    Raises:
        AddressError: the address is none, or not one that may be connected to.
    """
    try:
        with _turn(url), _response(url, {}, method="HEAD") as response:
            return _version(response) if response.status == 200 else Version()
    except (_TryLaterError, AudioError):
        return Version()  # fetching it will tell what is wrong


def first_bytes(url: str, count: int) -> tuple[str, bytes]:
    """Return the media type that a server claims for an address, and the first bytes there.

    Raises:
        AddressError, AudioError, TransientError: as for `Download.fetch`.
    """
    try:
        with _turn(url), _response(url, {}) as response:
            return response.headers.get("content-type", ""), response.read(count)
    except (_TryLaterError, HTTPError) as error:
        raise TransientError(f"{url} cannot be read now ({_short(error)}).") from None


@contextmanager
def interrupted() -> Iterator[None]:
    """Let all downloads of this process end; later ones are possible again."""
    _interrupted.set()
    try:
        yield
    finally:
        _interrupted.clear()


class _TryLaterError(Exception):
    def __init__(self, sentence: str, wait_s: float = 2.0) -> None:
        super().__init__(sentence)
        self.wait_s = wait_s


@contextmanager
def _turn(url: str) -> Iterator[None]:
    with _turns_lock:
        turn = _turns[urlsplit(url).netloc]
    with turn:
        yield


@contextmanager
def _response(url: str, headers: dict[str, str], method: str = "GET") -> Iterator[Any]:
    check_url(url)
    try:
        response = _pool_manager(settings().download_timeout_s).request(
            method,
            url,
            # No compression: the bytes are to be those that a range of them can go on with.
            headers={"User-Agent": AGENT, "Accept-Encoding": "identity"} | headers,
            preload_content=False,
        )
    except MaxRetryError as error:
        if "redirect" in str(error.reason):
            raise AudioError(f"{url} sends from one address to the next without end.") from None
        raise _TryLaterError(f"{url} does not answer ({_short(error.reason or error)}).") from None
    except HTTPError as error:
        raise _TryLaterError(f"{url} does not answer ({_short(error)}).") from None
    try:
        if response.status in BUSY:
            wait_s = response.headers.get("retry-after", "")
            raise _TryLaterError(
                f"{url} answers {response.status}, that it is busy.", float(wait_s) if wait_s.isdigit() else 5.0
            )
        if response.status in (401, 403):
            raise AudioError(f"{url} answers {response.status}: it is not open to everybody.")
        if response.status in (404, 410):
            raise AudioError(f"{url} answers {response.status}: there is nothing; check the address.")
        yield response
    finally:
        response.close()


@lru_cache(maxsize=4)
def _pool_manager(timeout_s: float) -> PublicPoolManager:
    return PublicPoolManager(
        timeout=urllib3.Timeout(connect=min(10.0, timeout_s), read=timeout_s),
        # Trying again is ours, with what is there already.
        retries=urllib3.Retry(connect=0, read=0, redirect=10, status=0, other=0, respect_retry_after_header=False),
    )


def _version(response: Any) -> Version:
    size = response.headers.get("content-length", "")
    return Version(
        etag=response.headers.get("etag", ""),
        last_modified=response.headers.get("last-modified", ""),
        size_bytes=int(size) if size.isdigit() else None,
    )


def _begins_at(response: Any) -> int | None:
    """Return the first byte's position that a `Content-Range: bytes 100-199/200` names."""
    position = response.headers.get("content-range", "").removeprefix("bytes ").partition("-")[0]
    return int(position) if position.isdigit() else None


def _short(error: BaseException) -> str:
    return str(error).rpartition(": ")[2].rstrip(".") or type(error).__name__
