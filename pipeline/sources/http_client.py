"""HTTP client with limits on connections and time, and one-sentence errors."""

import re
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache
from threading import Lock, Semaphore
from typing import Any

import urllib3
from urllib3.exceptions import HTTPError, MaxRetryError

from pipeline.errors import AudioError, TransientError, without_credentials
from pipeline.settings import settings
from pipeline.sources.deadline import Deadline
from pipeline.sources.url_guard import PublicPoolManager, check_url

AGENT = "Duet (podcast transcripts; asks once, resumes, and sends If-None-Match)"
BUSY = {408, 425, 429, 500, 502, 503, 504}
HEAD_TIMEOUTS = 2
"""Multiple of `download_timeout_s` within which a response must begin, including all redirects and headers."""
AT_ONCE = 2
"""Connections to one host."""
_turns: defaultdict[str, Semaphore] = defaultdict(lambda: Semaphore(AT_ONCE))
_turns_lock = Lock()


class TryLaterError(Exception):
    """A failure that may succeed when retried after `wait_s` seconds."""

    def __init__(self, sentence: str, wait_s: float = 2.0) -> None:
        super().__init__(sentence)
        self.wait_s = wait_s


@dataclass(frozen=True)
class Version:
    """The version of the bytes at a URL, by the headers of the server."""

    etag: str = ""
    last_modified: str = ""
    size_bytes: int | None = None

    @property
    def is_known(self) -> bool:
        """Whether the server sent a version."""
        return bool(self.etag or self.last_modified)

    @property
    def validator(self) -> str:
        """The value of `If-Range` with which a request resumes exactly these bytes (RFC 9110, 13.1.5)."""
        return self.etag if self.etag and not self.etag.startswith("W/") else self.last_modified


def version_of(url: str) -> Version:
    """Return the version at a URL from a HEAD request; an empty version if that fails.

    Raises:
        AddressError: the URL is invalid, or its host may not be connected to.
    """
    try:
        with turn(url), response_of(url, {}, method="HEAD") as (response, _):
            return version_in(response) if response.status == 200 else Version()
    except (TryLaterError, AudioError):
        return Version()  # the download will raise the error


def first_bytes(url: str, count: int) -> tuple[str, bytes]:
    """Return the media type of a URL, as the server declares it, and its first bytes.

    Raises:
        AddressError, AudioError, TransientError: as for `Download.fetch`.
    """
    try:
        with turn(url), response_of(url, {}) as (response, deadline):
            try:
                head = response.read(count)
            except HTTPError as error:
                raise TryLaterError(_failure_sentence(url, deadline, error)) from None
            if deadline.is_over:  # a body without a length seems complete
                raise TryLaterError(_too_slow(url))
            return response.headers.get("content-type", ""), head
    except TryLaterError as error:
        raise TransientError(str(error)) from None


@contextmanager
def turn(url: str) -> Iterator[None]:
    """Wait for one of the `AT_ONCE` connections to the URL's host, and reserve it within the `with` block."""
    host = "/".join(url.split("/", 3)[:3])
    with _turns_lock:
        places = _turns[host]
    with places:
        yield


@contextmanager
def response_of(url: str, headers: dict[str, str], method: str = "GET") -> Iterator[tuple[Any, Deadline]]:
    """Yield a response and its deadline, which is that of the headers until it is renewed."""
    check_url(url)
    name = without_credentials(url)
    with Deadline(HEAD_TIMEOUTS * settings().download_timeout_s) as deadline:
        response = _asked(url, headers, method, deadline)
        try:
            if response.status in BUSY:
                wait_s = number(response.headers.get("retry-after"))
                raise TryLaterError(
                    f"{name} answers {response.status}, that it is busy.", 5.0 if wait_s is None else float(wait_s)
                )
            if response.status in (401, 403):
                raise AudioError(f"{name} answers {response.status}: it is not open to everybody.")
            if response.status in (404, 410):
                raise AudioError(f"{name} answers {response.status}: there is nothing; check the address.")
            yield response, deadline
        finally:
            response.close()


def _asked(url: str, headers: dict[str, str], method: str, deadline: Deadline) -> Any:
    name = without_credentials(url)
    try:
        return _pool_manager(settings().download_timeout_s).request(
            method,
            url,
            # No compression, because a ranged download resumes by the position in the file's own bytes.
            headers={"User-Agent": AGENT, "Accept-Encoding": "identity"} | headers,
            preload_content=False,
        )
    except MaxRetryError as error:
        if "redirect" in str(error.reason):
            raise AudioError(f"{name} sends from one address to the next without end.") from None
        raise TryLaterError(_failure_sentence(url, deadline, error.reason or error)) from None
    except ValueError:
        raise AudioError(f"{name} is, or sends on to, what is no address.") from None
    except HTTPError as error:
        raise TryLaterError(_failure_sentence(url, deadline, error)) from None


def _failure_sentence(url: str, deadline: Deadline, error: BaseException) -> str:
    return _too_slow(url) if deadline.is_over else f"{without_credentials(url)} does not answer ({short(error)})."


def _too_slow(url: str) -> str:
    limit_s = HEAD_TIMEOUTS * settings().download_timeout_s
    return f"{without_credentials(url)} has not answered after {limit_s:g} s."


@lru_cache(maxsize=4)
def _pool_manager(timeout_s: float) -> PublicPoolManager:
    return PublicPoolManager(
        timeout=urllib3.Timeout(connect=min(10.0, timeout_s), read=timeout_s),
        # `Download` retries itself, resuming at the bytes already there.
        retries=urllib3.Retry(connect=0, read=0, redirect=10, status=0, other=0, respect_retry_after_header=False),
    )


def version_in(response: Any) -> Version:
    """Return the version in the headers of a response."""
    return Version(
        etag=response.headers.get("etag", ""),
        last_modified=response.headers.get("last-modified", ""),
        size_bytes=number(response.headers.get("content-length")),
    )


def number(text: str | None) -> int | None:
    """Return the number in a header; None if it is not a number."""
    return int(text) if text and re.fullmatch(r"\d{1,18}", text, re.ASCII) else None


def short(error: BaseException) -> str:
    """Return the last part of an error's message, which names the cause."""
    return str(error).rpartition(": ")[2].rstrip(".") or type(error).__name__
