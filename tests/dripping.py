"""A server that takes its time: one byte now and then, for as long as it is asked."""

import socket
import socketserver
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from threading import Event, Thread
from typing import Any

DRIP_S = 0.05
HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: audio/mpeg\r\nContent-Length: 100000\r\n\r\n"


@dataclass
class Dripping:
    """Where it is, and what it is doing."""

    url: str
    first: bytes = b""
    """What it sends at once; then come bytes, one at a time."""
    taken: int = 0
    """How many connections it has taken."""
    left: int = 0
    """How many of them the other side has closed."""
    is_over: Event = field(default_factory=Event)


class _Handler(socketserver.BaseRequestHandler):
    request: socket.socket

    def handle(self) -> None:
        dripping: Dripping = self.server.dripping  # type: ignore[attr-defined]
        dripping.taken += 1
        try:
            self.request.recv(65536)
            self.request.sendall(dripping.first)
            while not dripping.is_over.wait(DRIP_S):
                self.request.sendall(b"H")
        except OSError:
            dripping.left += 1  # the client has had enough


class _Server(socketserver.ThreadingTCPServer):
    daemon_threads = True
    request_queue_size = 128


@contextmanager
def start_dripping(first: bytes = b"") -> Iterator[Dripping]:
    """Run a server that sends some bytes at once and then drips."""
    with _Server(("127.0.0.1", 0), _Handler) as server:
        running: Any = Dripping(f"http://127.0.0.1:{server.server_address[1]}", first)
        server.dripping = running  # type: ignore[attr-defined]
        thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
        thread.start()
        try:
            yield running
        finally:
            running.is_over.set()
            server.shutdown()
            thread.join()
