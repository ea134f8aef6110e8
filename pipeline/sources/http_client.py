"""HTTP client with limits on connections and time, and one-sentence errors."""

import re
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from threading import Lock, Semaphore
from typing import Any

from urllib3.exceptions import HTTPError, ProxyError

from pipeline.errors import AudioError, TransientError, without_credentials
from pipeline.settings import settings
from pipeline.sources.deadline import Deadline
from pipeline.sources.proxies import checked_pool, proxy_of
from pipeline.sources.web_address import absolute, authorization, with_login_of, without_login

AGENT = "Duet (podcast transcripts; asks once, resumes, and sends If-None-Match)"
BUSY = {408, 425, 429, 500, 502, 503, 504}
HEAD_TIMEOUTS = 2
"""Multiple of `download_timeout_s` within which a response must begin, including all redirects and headers."""
REDIRECTS = {301, 302, 303, 307, 308}
MOST_REDIRECTS = 10
UNREADABLE = {"br", "zstd", "compress", "x-compress"}
"""Compressions that no server was asked for, and that are read only where urllib3 finds their libraries."""
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
    host = "/".join(url.split("/", 3)[:3]).rpartition("@")[2]
    with _turns_lock:
        places = _turns[host]
    with places:
        yield


@contextmanager
def response_of(url: str, headers: dict[str, str], method: str = "GET") -> Iterator[tuple[Any, Deadline]]:
    """Yield a response and its deadline, which is that of the headers until it is renewed."""
    with Deadline(HEAD_TIMEOUTS * settings().download_timeout_s) as deadline:
        response = _asked(url, headers, method, deadline)
        try:
            _check_status(url, response)
            yield response, deadline
        finally:
            response.close()


def _check_status(url: str, response: Any) -> None:
    name, status = without_credentials(url), response.status
    if status in BUSY:
        raise TryLaterError(f"{name} answers {status}, that it is busy.", _wait_s(response.headers.get("retry-after")))
    if status == 401 and authorization(url):
        raise AudioError(f"{name} answers 401: it does not accept this user and password.")
    if status == 407:
        raise AudioError(f"The proxy for {name} answers 407; write user and password into HTTP_PROXY and HTTPS_PROXY.")
    if status in (401, 403):
        raise AudioError(f"{name} answers {status}: it is not open to everybody.")
    if status == 410:
        raise AudioError(f"{name} answers 410: it was there, and is gone for good.")
    if status == 404:
        raise AudioError(f"{name} was not found (404); check the address.")


def _asked(url: str, headers: dict[str, str], method: str, deadline: Deadline) -> Any:
    """Return the response after all redirects; the login of the URL is sent to its own scheme, host and port only."""
    at = url
    for _ in range(MOST_REDIRECTS + 1):
        response = _asked_once(at, headers, method, deadline)
        location = response.headers.get("location")
        if response.status not in REDIRECTS or not location:
            response.url = at
            return response
        response.close()
        target = absolute(without_login(at), _as_utf8(location))
        if not target:
            raise AudioError(f"{without_credentials(url)} is, or sends on to, what is no address.")
        at = with_login_of(url, target)
    raise AudioError(f"{without_credentials(url)} sends from one address to the next without end.")


def _asked_once(url: str, headers: dict[str, str], method: str, deadline: Deadline) -> Any:
    pool = checked_pool(url, settings().download_timeout_s)
    # No compression, because a ranged download resumes by the position in the file's own bytes.
    own = {"User-Agent": AGENT, "Accept-Encoding": "identity"} | authorization(url)
    try:
        return pool.request(method, without_login(url), headers=own | headers, preload_content=False, redirect=False)
    except ValueError:
        raise AudioError(f"{without_credentials(url)} is, or sends on to, what is no address.") from None
    except ProxyError as error:
        raise TryLaterError(
            f"The proxy {without_credentials(proxy_of(url))} does not lead to {without_credentials(url)} "
            f"({short(error.original_error)})."
        ) from None
    except HTTPError as error:
        raise TryLaterError(_failure_sentence(url, deadline, error)) from None


def _as_utf8(location: str) -> str:
    """Return a header's value, which HTTP reads as Latin-1, in UTF-8 if it is that."""
    try:
        return location.encode("latin-1").decode()
    except UnicodeError:
        return location


def _failure_sentence(url: str, deadline: Deadline, error: BaseException) -> str:
    return _too_slow(url) if deadline.is_over else f"{without_credentials(url)} does not answer ({short(error)})."


def _too_slow(url: str) -> str:
    limit_s = HEAD_TIMEOUTS * settings().download_timeout_s
    return f"{without_credentials(url)} has not answered after {limit_s:g} s."


def version_in(response: Any) -> Version:
    """Return the version in the headers of a response."""
    return Version(
        etag=response.headers.get("etag", ""),
        last_modified=response.headers.get("last-modified", ""),
        size_bytes=number(response.headers.get("content-length")),
    )


def range_of(response: Any) -> tuple[int | None, int | None]:
    """Return the first position and the whole length in a header `Content-Range: bytes 100-199/200`; None unknown."""
    found = re.match(r"bytes\s+(\d+)-\d*/(\d+|\*)", response.headers.get("content-range", ""), re.ASCII)
    return (number(found[1]), number(found[2])) if found and response.status == 206 else (None, None)


def encoding_of(response: Any) -> list[str]:
    """Return the compressions of a response; none for words in `Content-Encoding` that name none."""
    named = map(str.strip, response.headers.get("content-encoding", "").lower().split(","))
    return [it for it in named if it in UNREADABLE or it in response.CONTENT_DECODERS]


def unreadable_encoding(response: Any) -> str:
    """Return the compression of a response that this installation of urllib3 cannot read; empty if there is none."""
    return next((it for it in encoding_of(response) if it not in response.CONTENT_DECODERS), "")


def number(text: str | None) -> int | None:
    """Return the number in a header; None if it is not a number."""
    return int(text) if text and re.fullmatch(r"\d{1,18}", text, re.ASCII) else None


def _wait_s(text: str | None) -> float:
    """Return the seconds of a header `Retry-After`, which is a number or a date (RFC 9110, 10.2.3)."""
    if (seconds := number(text)) is not None:
        return float(seconds)
    try:
        until = parsedate_to_datetime(text or "")
        return max(0.0, (until.replace(tzinfo=until.tzinfo or UTC) - datetime.now(UTC)).total_seconds())
    except (ValueError, TypeError, OverflowError):
        return 5.0


def short(error: BaseException) -> str:
    """Return the last part of an error's message, which names the cause."""
    return str(error).rpartition(": ")[2].rstrip(".") or type(error).__name__
