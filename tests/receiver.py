"""An address that is told of episodes: a real HTTP server on loopback."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread


@dataclass
class Receiver:
    """Where it is, what it answers, and what it was sent."""

    url: str
    answers: list[int]
    """Statuses of the next answers; 200 when they are used up."""
    received: list[tuple[dict[str, str], bytes]] = field(default_factory=list)


class _Handler(BaseHTTPRequestHandler):
    def do_POST(self) -> None:  # the library's name
        receiver: Receiver = self.server.receiver  # type: ignore[attr-defined]
        body = self.rfile.read(int(self.headers["Content-Length"]))
        receiver.received.append(({name.lower(): value for name, value in self.headers.items()}, body))
        status = receiver.answers.pop(0) if receiver.answers else 200
        self.send_response(status)
        if status in (301, 302, 307):
            self.send_header("Location", receiver.url)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_: object) -> None: ...


@contextmanager
def receiver(*answers: int) -> Iterator[Receiver]:
    """Run a receiver."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Handler)
    running = Receiver(f"http://127.0.0.1:{server.server_port}/told", list(answers))
    server.receiver = running  # type: ignore[attr-defined]
    thread = Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield running
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
