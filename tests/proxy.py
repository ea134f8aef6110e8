"""A real HTTP proxy for tests: it fetches `http` by the whole address, and opens tunnels for `https` (CONNECT)."""

import socket
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.client import HTTPConnection
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from urllib.parse import urlsplit


@dataclass
class Proxy:
    """Where it is, where it leads, and what it was asked for."""

    url: str
    hosts: dict[str, str] = field(default_factory=dict)
    """Name → `host:port` to connect to, as the proxy's own name server has it."""
    asked: list[tuple[str, dict[str, str]]] = field(default_factory=list)
    """Method and target, and the headers, of each request."""


@contextmanager
def start_proxy(**hosts: str) -> Iterator[Proxy]:
    """Run a proxy on a port of its own."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Handler)
    server.daemon_threads = True
    server.proxy = Proxy(f"http://127.0.0.1:{server.server_port}", hosts)  # type: ignore[attr-defined]
    thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield server.proxy  # type: ignore[attr-defined]
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


class _Handler(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self._forward()

    def do_HEAD(self) -> None:
        self._forward()

    def do_CONNECT(self) -> None:
        if not (place := self._note(self.path.rpartition(":")[0])):
            return
        host, _, port = place.partition(":")
        with socket.create_connection((host, int(port))) as there:
            self.send_response(200)
            self.end_headers()
            back = Thread(target=_copy, args=(there, self.connection), daemon=True)
            back.start()
            _copy(self.connection, there)
            back.join()

    def log_message(self, *_: object) -> None:
        pass

    def _note(self, name: str) -> str:
        proxy: Proxy = self.server.proxy  # type: ignore[attr-defined]
        proxy.asked.append((f"{self.command} {self.path}", {key.lower(): it for key, it in self.headers.items()}))
        if name not in proxy.hosts:
            self.send_error(403)
        return proxy.hosts.get(name, "")

    def _forward(self) -> None:
        parts = urlsplit(self.path)
        if place := self._note(parts.hostname or ""):
            there = HTTPConnection(place)
            own = {name: it for name, it in self.headers.items() if not name.lower().startswith("proxy-")}
            there.request(self.command, f"{parts.path}?{parts.query}".rstrip("?"), headers=own)
            answer = there.getresponse()
            self.send_response(answer.status)
            for name, value in answer.getheaders():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(answer.read())
            there.close()


def _copy(source: socket.socket, sink: socket.socket) -> None:
    with suppress(OSError):
        while data := source.recv(65536):
            sink.sendall(data)
    with suppress(OSError):
        sink.shutdown(socket.SHUT_WR)
