"""A hub on this machine with one model, as far as huggingface_hub asks: a list of files, and each file by ranges."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from hashlib import sha256
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

COMMIT = "0" * 40


class Hub(ThreadingHTTPServer):
    """Serves the files of a folder as a model."""

    def __init__(self, folder: Path) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.files = {path.name: path.read_bytes() for path in folder.iterdir()}
        self.sent: list[tuple[str, int]] = []
        """Name and first byte of each file that was sent."""
        self.breaks_off_at: int | None = None
        """Bytes after which the largest file breaks off, once."""

    @property
    def url(self) -> str:
        """Address of the hub."""
        return f"http://127.0.0.1:{self.server_port}"


class _Handler(BaseHTTPRequestHandler):
    server: Hub

    def do_HEAD(self) -> None:
        self._answer(is_head=True)

    def do_GET(self) -> None:
        self._answer(is_head=False)

    def log_message(self, format: str, *args: object) -> None:
        pass

    def _answer(self, *, is_head: bool) -> None:
        if self.path.startswith("/api/models/"):
            self._send(200, json.dumps(self._described()).encode(), {}, is_head)
            return
        name = self.path.rpartition("/")[2]
        data = self.server.files[name]
        first = int(self.headers.get("Range", "bytes=0-").removeprefix("bytes=").partition("-")[0])
        about = {"ETag": f'"{sha256(data).hexdigest()}"', "X-Repo-Commit": COMMIT, "Accept-Ranges": "bytes"}
        if not is_head:
            self.server.sent.append((name, first))
        if first:
            about["Content-Range"] = f"bytes {first}-{len(data) - 1}/{len(data)}"
        self._send(206 if first else 200, data[first:], about, is_head)

    def _described(self) -> object:
        files = self.server.files
        if "/tree/" in self.path:
            return [{"type": "file", "path": name, "size": len(data), "oid": COMMIT} for name, data in files.items()]
        return {"id": "some/model", "sha": COMMIT, "siblings": [{"rfilename": name} for name in files]}

    def _send(self, status: int, body: bytes, headers: dict[str, str], is_head: bool) -> None:
        self.send_response(status)
        for name, value in {**headers, "Content-Length": str(len(body))}.items():
            self.send_header(name, value)
        self.end_headers()
        stop, largest = self.server.breaks_off_at, max(map(len, self.server.files.values()))
        if not is_head and stop is not None and len(body) == largest:
            self.server.breaks_off_at = None
            body = body[:stop]
            self.close_connection = True
        if not is_head:
            self.wfile.write(body)


@contextmanager
def serve(folder: Path) -> Iterator[Hub]:
    """Serve a folder until the block ends."""
    with Hub(folder) as hub:
        thread = Thread(target=hub.serve_forever, daemon=True)
        thread.start()
        try:
            yield hub
        finally:
            hub.shutdown()
            thread.join()
