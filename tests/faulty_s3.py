"""A proxy before a real S3 server that does what servers do on a bad day, and is told when."""

import re
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.client import HTTPConnection
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Lock, Thread
from typing import Literal
from urllib.parse import urlsplit

HANG_S = 30.0
FOREVER = 1_000_000
Trouble = Literal["error", "hang", "cut", "damage the answer", "damage the request"]


@dataclass
class Fault:
    """What goes wrong, how often, with which requests."""

    trouble: Trouble
    method: str = ".*"
    key: str = ".*"
    times: int = FOREVER
    status: int = 500
    code: str = "InternalError"
    header: str = ""
    """Beginning of a header's name, in lower case; only requests with one meet it."""
    seen: int = 0
    """How many requests have met it."""

    def meets(self, method: str, path: str, headers: Iterable[str]) -> bool:
        """Whether it happens to a request."""
        has_header = not self.header or any(it.lower().startswith(self.header) for it in headers)
        is_meant = has_header and re.fullmatch(self.method, method) and re.search(self.key, path)
        return self.seen < self.times and bool(is_meant)


@dataclass
class FaultyS3:
    """Requests go to the real server, but for those that meet a fault."""

    endpoint_url: str
    faults: list[Fault] = field(default_factory=list)
    _lock: Lock = field(default_factory=Lock)

    @contextmanager
    def fault(self, trouble: Trouble, **details: str | int) -> Iterator[Fault]:
        """Have something go wrong for a while."""
        fault = Fault(trouble, **details)  # type: ignore[arg-type]
        self.faults.append(fault)
        try:
            yield fault
        finally:
            self.faults.remove(fault)

    def met(self, method: str, path: str, headers: Iterable[str]) -> Fault | None:
        """Return what goes wrong with a request."""
        with self._lock:
            for fault in self.faults:
                if fault.meets(method, path, headers):
                    fault.seen += 1
                    return fault
        return None


@contextmanager
def faulty_s3(real_url: str) -> Iterator[FaultyS3]:
    """Run a proxy before the server at a URL."""
    real = urlsplit(real_url).netloc

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def forward(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            fault = proxy.met(self.command, self.path, self.headers)
            trouble = fault.trouble if fault else ""
            if fault and trouble == "error":
                self.refuse(fault)
            elif trouble == "hang":
                time.sleep(HANG_S)
                self.close_connection = True
            else:
                self.pass_on(_damaged(body) if trouble == "damage the request" else body, trouble)

        def pass_on(self, body: bytes, trouble: str) -> None:
            connection = HTTPConnection(real)
            connection.putrequest(self.command, self.path, skip_host=True, skip_accept_encoding=True)
            for name, value in self.headers.items():
                if name.lower() not in ("connection", "expect"):
                    connection.putheader(name, value)
            connection.endheaders(body)
            answer = connection.getresponse()
            content = answer.read()
            self.send_response(answer.status)
            for name, value in answer.getheaders():
                if name.lower() not in ("connection", "transfer-encoding", "content-length", "date", "server"):
                    self.send_header(name, value)
            length = answer.getheader("Content-Length") if self.command == "HEAD" else str(len(content))
            self.send_header("Content-Length", length or "0")
            self.end_headers()
            connection.close()
            self.wfile.write(
                _damaged(content) if trouble == "damage the answer" else content[: self.kept(content, trouble)]
            )
            self.close_connection = trouble == "cut"

        def kept(self, content: bytes, trouble: str) -> int:
            return len(content) // 2 if trouble == "cut" else len(content)

        def refuse(self, fault: Fault) -> None:
            text = f"<Error><Code>{fault.code}</Code><Message>On purpose.</Message></Error>".encode()
            self.send_response(fault.status)
            self.send_header("Content-Length", str(len(text)))
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(text)

        do_GET = do_PUT = do_HEAD = do_DELETE = do_POST = forward  # noqa: N815

        def log_message(self, format: str, *args: object) -> None: ...

    class Server(ThreadingHTTPServer):
        daemon_threads = True
        block_on_close = False

        def handle_error(self, *_: object) -> None:
            """Say nothing: clients that give up are what these tests are about."""

    with Server(("127.0.0.1", 0), Handler) as server:
        proxy = FaultyS3(f"http://127.0.0.1:{server.server_port}")
        thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
        thread.start()
        try:
            yield proxy
        finally:
            server.shutdown()
            thread.join()


def _damaged(content: bytes) -> bytes:
    """Return a body with one byte changed, in the middle."""
    middle = len(content) // 2
    return content[:middle] + bytes([content[middle] ^ 0xFF]) + content[middle + 1 :] if content else content
