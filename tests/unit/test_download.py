"""Downloads from servers that take their time, that say odd things, and that several ask at once."""

import hashlib
import socketserver
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import count
from pathlib import Path
from threading import Barrier, Thread

import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as examples
from hypothesis import strategies as st

from pipeline.errors import AudioError, DuetError, TransientError
from pipeline.settings import settings
from pipeline.sources import download
from pipeline.sources.digest_cache import Digests
from pipeline.sources.download import Download, Version, first_bytes, version_of
from pipeline.sources.web import WebAudio
from pipeline.storage import open_storage
from pipeline.types.ids import episode_id
from tests.batches import ID3
from tests.dripping import HEAD, start_dripping

LONG_S = 25.0
"""Far more than what is bounded takes, far less than one that is not."""
LIMIT_BYTES = 10_000_000


@pytest.fixture(autouse=True)
def impatient(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    for name, value in {
        "DUET_ALLOWED_HOSTS": "127.0.0.1",
        "DUET_CACHE_DIR": str(tmp_path / "cache"),
        "DUET_DOWNLOAD_TIMEOUT_S": "0.2",
        "DUET_DOWNLOAD_TIME_LIMIT_S": "0.6",
    }.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(download, "LONGEST_WAIT_S", 0.0)
    settings.cache_clear()
    yield
    settings.cache_clear()


@contextmanager
def saying(*lines: str, body: bytes = b"") -> Iterator[str]:
    """Run a server that gives the same answer to everybody, byte for byte, and yield its address."""
    answer = "\r\n".join([*lines, "", ""]).encode("latin-1") + body

    class Handler(socketserver.BaseRequestHandler):
        def handle(self) -> None:
            self.request.recv(65536)
            self.request.sendall(answer)

    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), Handler) as server:
        server.daemon_threads = True
        thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_address[1]}/ep.mp3"
        finally:
            server.shutdown()
            thread.join()


@pytest.mark.parametrize("first", [b"", b"HTTP/1.1 200 OK\r\nX-Slow: ", HEAD], ids=["status", "header", "body"])
def test_a_server_that_drips_is_given_up(first: bytes) -> None:
    began = time.monotonic()
    with start_dripping(first) as server:
        with pytest.raises(TransientError, match=r"has not answered after 0\.4 s"):
            first_bytes(server.url, 8192)
        if first != HEAD:
            assert version_of(server.url) == Version()
            with pytest.raises(TransientError, match="It was tried 4 times"):
                Download(server.url).fetch(LIMIT_BYTES)
    assert time.monotonic() - began < LONG_S


@pytest.mark.parametrize("head", [HEAD, b"HTTP/1.1 200 OK\r\n\r\n"], ids=["length", "no length"])
def test_a_body_that_drips_is_given_up_and_is_no_episode(head: bytes) -> None:
    began = time.monotonic()
    with start_dripping(head) as server, pytest.raises(AudioError, match=r"was not there after 0\.6 s"):
        Download(server.url).fetch(LIMIT_BYTES)
    assert time.monotonic() - began < LONG_S


def test_numbers_that_are_none_are_as_good_as_not_said() -> None:
    with saying("HTTP/1.0 200 OK", "Content-Length: abc", "Content-Range: bytes x", body=ID3) as url:
        assert Download(url).fetch(LIMIT_BYTES).read_bytes() == ID3
        assert version_of(url) == Version()
    with saying("HTTP/1.0 503 Busy", "Retry-After: \xb2") as url, pytest.raises(TransientError, match="busy"):
        Download(url).fetch(LIMIT_BYTES)


@pytest.mark.parametrize("location", ["http://[bad", "http://[bad/ep.mp3", "//[", "http://\x7f/"])
def test_a_redirect_to_what_is_no_address_is_said(location: str) -> None:
    with saying("HTTP/1.0 302 Found", f"Location: {location}") as url, pytest.raises(DuetError):
        Download(url).fetch(LIMIT_BYTES)


values = st.text(st.characters(min_codepoint=32, max_codepoint=255, exclude_characters="\x7f"), max_size=30)
numbers = st.one_of(values, st.integers(-(10**30), 10**30).map(str))


@examples(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture], derandomize=True)
@given(
    status=st.sampled_from([200, 206, 301, 302, 304, 401, 404, 416, 429, 503]),
    length=numbers,
    again=numbers,
    position=values,
    location=values,
)
def test_whatever_headers_say_there_is_audio_or_a_sentence(
    status: int, length: str, again: str, position: str, location: str
) -> None:
    headers = [f"Content-Length: {length}", f"Retry-After: {again}", f"Content-Range: bytes {position}"]
    if location:
        headers.append(f"Location: {location}")
    with saying(f"HTTP/1.0 {status} So", *headers, body=ID3) as url:
        for ask in (lambda: Download(url).fetch(LIMIT_BYTES), lambda: first_bytes(url, 100), lambda: version_of(url)):
            with suppress(DuetError):
                ask()


@contextmanager
def never_the_same() -> Iterator[str]:
    """Run a server of which each answer holds other bytes, as hosts do that insert advertisements."""
    numbered = count(1)

    class Handler(BaseHTTPRequestHandler):
        def do_HEAD(self) -> None:
            self.send_response(200)
            self.end_headers()

        def do_GET(self) -> None:
            body = ID3 + bytes([next(numbered) % 256]) * 700_000
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None: ...

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}/ep.mp3"
        finally:
            server.shutdown()
            thread.join()


def test_who_asks_for_one_address_at_once_gets_bytes_of_its_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Given many who bring the same episode, from a server whose bytes differ each time
    monkeypatch.setenv("DUET_DOWNLOAD_TIMEOUT_S", "30")
    monkeypatch.setenv("DUET_DOWNLOAD_TIME_LIMIT_S", "60")
    settings.cache_clear()
    asking = 8
    all_here = Barrier(asking, timeout=60)

    digests = Digests(tmp_path / "digests.sqlite")

    def copy_audio(number: int) -> tuple[str, Path]:
        source = WebAudio(url)
        all_here.wait()
        episode = source.read(digests)
        if number % 2:
            all_here.wait()  # the others have brought theirs, and removed it
        source.copy_audio(open_storage((tmp_path / "out").as_uri()), f"{number}.mp3")
        if not number % 2:
            all_here.wait()
        return episode.id, tmp_path / "out" / f"{number}.mp3"

    with never_the_same() as url, ThreadPoolExecutor(asking) as threads:
        brought = list(threads.map(copy_audio, range(asking)))

    # Then each has what it has read, and nobody a mixture
    for episode, path in brought:
        with path.open("rb") as audio:
            assert episode_id(audio) == episode
        assert len(set(path.read_bytes().removeprefix(ID3))) == 1
    assert list((tmp_path / "cache" / "downloads").rglob("*")) == []


def test_the_lock_of_an_address_is_no_less_a_lock_when_it_is_forgotten(tmp_path: Path) -> None:
    # Given many who are at work in one folder, and forget it each time
    at_work, most = [0], [0]
    guard = threading.Lock()

    def work(_: int) -> None:
        own = Download("http://127.0.0.1/ep.mp3")
        with own._alone():
            with guard:
                at_work[0] += 1
                most[0] = max(most[0], at_work[0])
            time.sleep(0.001)
            with guard:
                at_work[0] -= 1
        own.forget()

    with ThreadPoolExecutor(8) as threads:
        list(threads.map(work, range(200)))

    assert most == [1]
    assert not (tmp_path / "cache" / "downloads" / hashlib.sha256(b"http://127.0.0.1/ep.mp3").hexdigest()[:32]).exists()


def test_what_was_taken_goes_with_whoever_took_it() -> None:
    with saying("HTTP/1.0 200 OK", body=ID3 + b"one") as url:
        source = WebAudio(url)
        source.read(Digests(settings().cache_dir / "digests.sqlite"))
        (own,) = settings().cache_dir.rglob("own-*")
        del source
        assert not own.exists()


def test_a_path_that_its_owner_removes_meanwhile_is_no_trouble(monkeypatch: pytest.MonkeyPatch) -> None:
    with saying("HTTP/1.1 200 OK", f"Content-Length: {len(ID3)}", "Connection: close", body=ID3) as url:
        # Given a path that was listed and is gone when it is looked at
        monkeypatch.setattr(Path, "glob", lambda self, pattern: iter([self / f"{download.OWN}gone"]))

        # When the same address is asked for, then its bytes come
        assert Download(url).take(LIMIT_BYTES).read_bytes() == ID3
