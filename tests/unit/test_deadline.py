"""An exchange is over when its time is, however slowly the other side sends."""

import ssl
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread

import pytest
import urllib3
from urllib3.exceptions import HTTPError

from pipeline.settings import settings
from pipeline.sources.deadline import Deadline
from pipeline.sources.url_guard import PublicPoolManager
from tests.dripping import HEAD, start_dripping

LIMIT_S = 0.4
LONG_S = 20.0
"""Far more than an exchange may take that is bounded; a server that drips holds one that is not for much longer."""


@pytest.fixture(autouse=True)
def own_machine(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("DUET_ALLOWED_HOSTS", "127.0.0.1")
    settings.cache_clear()
    yield
    settings.cache_clear()


def pool() -> PublicPoolManager:
    return PublicPoolManager(retries=False, timeout=urllib3.Timeout(LONG_S))


@pytest.mark.parametrize("first", [b"", b"HTTP/1.1 200 OK\r\nX-Slow: ", HEAD], ids=["status", "header", "body"])
def test_a_server_that_drips_holds_nobody_longer_than_the_deadline(first: bytes) -> None:
    began = time.monotonic()
    with start_dripping(first) as server, pool() as client:
        with Deadline(LIMIT_S) as deadline, pytest.raises(HTTPError):
            client.request("GET", server.url)
        assert deadline.is_over
    assert time.monotonic() - began < LONG_S


def test_a_handshake_that_drips_is_bounded_too() -> None:
    began = time.monotonic()
    with start_dripping(b"\x16\x03\x03") as server, pool() as client, Deadline(LIMIT_S) as deadline:
        with pytest.raises((HTTPError, ssl.SSLError)):
            client.request("GET", server.url.replace("http:", "https:"))
        assert deadline.is_over or time.monotonic() - began < LIMIT_S
    assert time.monotonic() - began < LONG_S


def test_a_connection_that_was_kept_is_under_the_deadline_of_its_next_exchange() -> None:
    # Given a connection that was used before, and whose server drips from then on
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            if self.path == "/slow":
                time.sleep(LONG_S / 2)
            self.send_response(204)
            self.end_headers()

        def log_message(self, *_: object) -> None: ...

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    began = time.monotonic()
    url = f"http://127.0.0.1:{server.server_port}"
    with pool() as client:
        assert client.request("GET", f"{url}/quick").status == 204
        (kept,) = [client.connection_from_url(url)]
        assert kept.num_connections == 1

        # Then it is shut all the same
        with Deadline(LIMIT_S), pytest.raises(HTTPError):
            client.request("GET", f"{url}/slow")
    assert time.monotonic() - began < LONG_S / 2
    server.shutdown()


def test_one_that_answers_in_time_is_left_alone() -> None:
    with start_dripping(b"HTTP/1.1 204 No Content\r\n\r\n") as server, pool() as client, Deadline(LONG_S) as deadline:
        assert client.request("GET", server.url).status == 204
        assert not deadline.is_over
