"""EC2's metadata service, version 2, as far as a notice goes: a token for each question, 404 until there is one."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread

TOKEN = "a-token"


@dataclass
class MetadataServer:
    """What it says, and to whom it has spoken."""

    url: str
    notice: dict[str, str] | None = None
    tokens: int = 0
    """How many tokens it has given."""
    expired: bool = False
    """Whether the token that is out is no longer good."""

    def take_away_in(self, seconds: float) -> None:
        """Give notice."""
        at = datetime.now(UTC) + timedelta(seconds=seconds)
        self.notice = {"action": "terminate", "time": at.strftime("%Y-%m-%dT%H:%M:%SZ")}


@contextmanager
def metadata_server() -> Iterator[MetadataServer]:
    """Run one on a free port."""

    class Handler(BaseHTTPRequestHandler):
        def do_PUT(self) -> None:
            is_right = self.path == "/latest/api/token" and self.headers["X-aws-ec2-metadata-token-ttl-seconds"]
            server.tokens += 1
            server.expired = False
            self.answer(200 if is_right else 400, TOKEN.encode())

        def do_GET(self) -> None:
            if self.headers["X-aws-ec2-metadata-token"] != TOKEN or server.expired:
                return self.answer(401)
            if self.path != "/latest/meta-data/spot/instance-action" or server.notice is None:
                return self.answer(404)
            return self.answer(200, json.dumps(server.notice).encode())

        def answer(self, status: int, body: bytes = b"") -> None:
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None: ...

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as http:
        server = MetadataServer(f"http://127.0.0.1:{http.server_port}")
        thread = Thread(target=http.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
        thread.start()
        try:
            yield server
        finally:
            http.shutdown()
            thread.join()
