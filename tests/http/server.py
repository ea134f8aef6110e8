"""`duet serve` as a process of its own, and what talks to it."""

import os
import subprocess
import sys
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx

from tests.faults.fleet import ROOT, Fleet, wait_until
from tests.services import free_ports

PATIENCE_S = 60.0


class Server:
    """A running server with a fleet behind it."""

    def __init__(self, fleet: Fleet, url: str, to: Path, log: Path) -> None:
        self.fleet, self.url, self.to, self.log = fleet, url, to, log
        self.http = httpx.Client(base_url=url, timeout=PATIENCE_S)

    def send(self, to: str, name: str, data: bytes | None = None, **fields: object) -> httpx.Response:
        """Send audio that nobody else has, unless bytes are given."""
        return self.http.post(to, files={"file": (name, audio() if data is None else data)}, data=fields)

    def state(self, job: str) -> str:
        return str(self.http.get(f"/jobs/{job}").json()["state"])

    def wait_for(self, job: str, state: str) -> dict[str, object]:
        wait_until(lambda: self.state(job) == state, f"{job} is {state}")
        found: dict[str, object] = self.http.get(f"/jobs/{job}").json()
        return found

    def uploads(self) -> list[Path]:
        """Return every file of an upload that is on the disk."""
        return sorted(it for it in (self.to / "uploads").rglob("*") if it.is_file())


def audio() -> bytes:
    """Return bytes that look like audio and that nobody else has."""
    return b"ID3\x04\x00\x00" + uuid.uuid4().bytes


@contextmanager
def serve(fleet: Fleet, to: Path, *arguments: str, **variables: str) -> Iterator[Server]:
    """Run `duet serve` on a port of its own."""
    (port,) = free_ports(1)
    log = fleet.folder / f"serve-{port}.log"
    argv = [sys.executable, "-m", "pipeline.cli", "serve", "--port", str(port), "--to", str(to), *arguments]
    with log.open("wb") as output:
        process = subprocess.Popen(
            argv, cwd=ROOT, env=environment(fleet, **variables), stdout=output, stderr=subprocess.STDOUT
        )
    server = Server(fleet, f"http://127.0.0.1:{port}", to, log)

    def answers() -> bool:
        assert process.poll() is None, log.read_text()
        try:
            return server.http.get("/health").status_code == 200
        except httpx.TransportError:
            return False

    try:
        wait_until(answers, "the server answers")
        yield server
    finally:
        server.http.close()
        process.terminate()
        process.wait(PATIENCE_S)


def environment(fleet: Fleet, **variables: str) -> dict[str, str]:
    return dict(os.environ) | fleet.variables | variables
