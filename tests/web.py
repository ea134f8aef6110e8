"""A real web server for tests: ranges, validators, and the troubles that servers have."""

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread


@dataclass
class Site:
    """What the server has, what it was asked for, and how it misbehaves."""

    url: str
    files: dict[str, bytes] = field(default_factory=dict)
    types: dict[str, str] = field(default_factory=dict)
    requests: list[tuple[str, str, dict[str, str]]] = field(default_factory=list)
    """Method, path and headers of each request."""
    breaks_after: dict[str, int] = field(default_factory=dict)
    """Path → number of bytes after which the connection breaks, once."""
    statuses: dict[str, list[int]] = field(default_factory=dict)
    """Path → statuses to answer with first."""
    redirects: dict[str, str] = field(default_factory=dict)
    lengthless: set[str] = field(default_factory=set)
    """Paths that are answered without saying how long the answer is."""
    rangeless: set[str] = field(default_factory=set)
    """Paths that are answered as a whole whatever part is asked for."""
    redirect_status: int = 302
    logins: dict[str, str] = field(default_factory=dict)
    """Path → the header `Authorization` without which the answer is 401."""
    headers: dict[str, dict[str, str]] = field(default_factory=dict)
    """Path → headers of its answers; an empty one is left out."""

    def asked(self, path: str, method: str = "GET") -> list[dict[str, str]]:
        """Return the headers of the requests for a path."""
        return [headers for asked, where, headers in self.requests if (asked, where) == (method, path)]


@contextmanager
def start_site() -> Iterator[Site]:
    """Run a server on a port of its own."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Handler)
    server.site = Site(f"http://127.0.0.1:{server.server_port}")  # type: ignore[attr-defined]
    thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield server.site  # type: ignore[attr-defined]
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def handle(self) -> None:
        with suppress(ConnectionResetError):  # the client has read what it wanted
            super().handle()

    def do_GET(self) -> None:
        self._answer()

    def do_HEAD(self) -> None:
        self._answer()

    def log_message(self, *_: object) -> None:
        pass

    def _answer(self) -> None:
        site: Site = self.server.site  # type: ignore[attr-defined]
        headers = {name.lower(): value for name, value in self.headers.items()}
        site.requests.append((self.command, self.path, headers))
        body = site.files.get(self.path)
        if site.statuses.get(self.path):
            self._send(site.statuses[self.path].pop(0), b"", {"Retry-After": "0"})
        elif headers.get("authorization", "") != site.logins.get(self.path, headers.get("authorization", "")):
            self._send(401, b"", {"WWW-Authenticate": "Basic"})
        elif self.path in site.redirects:
            self._send(site.redirect_status, b"", {"Location": site.redirects[self.path]})
        elif body is None:
            self._send(404, b"not here", {})
        else:
            self._send_file(site, body, headers)

    def _send_file(self, site: Site, body: bytes, asked: dict[str, str]) -> None:
        tag = f'"{hashlib.sha256(body).hexdigest()[:12]}"'
        own = {"ETag": tag, "Content-Type": site.types.get(self.path, "application/octet-stream")}
        if asked.get("if-none-match") == tag:
            self._send(304, b"", own)
            return
        wanted = asked.get("range", "")
        if wanted and self.path not in site.rangeless and asked.get("if-range", tag) == tag:
            first = int(wanted.removeprefix("bytes=").split("-")[0])
            self._send(206, body[first:], own | {"Content-Range": f"bytes {first}-{len(body) - 1}/{len(body)}"})
            return
        self._send(200, body, own, breaks_after=site.breaks_after.pop(self.path, None))

    def _send(self, status: int, body: bytes, headers: dict[str, str], breaks_after: int | None = None) -> None:
        self.send_response(status)
        own: dict[str, str] = self.server.site.headers.get(self.path, {})  # type: ignore[attr-defined]
        for name, value in (headers | own).items():
            if value:
                self.send_header(name, value)
        is_lengthless = self.path in self.server.site.lengthless  # type: ignore[attr-defined]
        if status != 304 and not is_lengthless:
            self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command == "GET" and status != 304:
            with suppress(BrokenPipeError, ConnectionResetError):  # the client has heard enough
                self.wfile.write(body if breaks_after is None else body[:breaks_after])
        self.close_connection = is_lengthless or breaks_after is not None
