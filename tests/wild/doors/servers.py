"""Servers that a person brings: S3 servers that refuse, and brokers that do; what is done or said then."""

from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import redis

from pipeline import submit
from pipeline.errors import DuetError
from pipeline.state.job_store import JobStore
from pipeline.storage import open_storage
from pipeline.storage.s3 import S3Storage
from pipeline.types import Options
from tests.batches import ID3, own_settings
from tests.faulty_s3 import FaultyS3, faulty_s3
from tests.services import AWS, BUCKET, start_aws, start_valkey
from tests.wild.case import Case


@dataclass(frozen=True)
class Refusal:
    """An answer of an S3 server to each upload, or to those with a header."""

    status: int
    code: str
    header: str = ""
    """Beginning of a header's name, in lower case."""


CASES = (
    Case("S3 server", "as it should be", Refusal(500, "", "x-none"), "works"),
    Case("S3 server", "knows no checksums", Refusal(501, "NotImplemented", "x-amz-checksum"), "works"),
    Case("S3 server", "finds checksums invalid", Refusal(400, "InvalidArgument", "x-amz-checksum"), "works"),
    Case("S3 server", "another clock", Refusal(403, "RequestTimeTooSkewed"), "clock is wrong"),
    Case("S3 server", "refuses the key", Refusal(403, "InvalidAccessKeyId"), "S3 refuses the credentials"),
    Case("S3 server", "path-style refused", Refusal(403, "PathStyleDomainForbidden"), "addressing_style = virtual"),
    Case("broker", "as it should be", ("PING",), "submitted"),
    Case("broker", "out of memory", ("CONFIG", "SET", "maxmemory", "1"), "refused: The broker at "),
    Case("broker", "read-only after a failover", ("REPLICAOF", "127.0.0.1", "1"), "refused: The broker at "),
)
WELL_AGAIN = (("CONFIG", "SET", "maxmemory", "0"), ("REPLICAOF", "NO", "ONE"))


def answers(cases: tuple[Case, ...], folder: Path) -> dict[Case, str]:
    """Write to a bucket, or submit an episode, while the server is in each condition; a broker is well again after."""
    with ExitStack() as stack:
        url = stack.enter_context(start_valkey(folder))
        s3 = stack.enter_context(faulty_s3(stack.enter_context(start_aws(folder))))
        stack.enter_context(own_settings(url, folder / "cache", DUET_S3_ENDPOINT_URL=s3.endpoint_url, **AWS))
        S3Storage(BUCKET).client.create_bucket(Bucket=BUCKET)
        broker = stack.enter_context(redis.Redis(unix_socket_path=url.partition("://")[2]))
        return {
            it: _of_s3(s3, it.input) if isinstance(it.input, Refusal) else _of_broker(broker, it, folder)
            for it in cases
        }


def _of_s3(s3: FaultyS3, refusal: Refusal) -> str:
    storage = open_storage(f"s3://{BUCKET}/out")
    with s3.fault("error", method="PUT", status=refusal.status, code=refusal.code, header=refusal.header):
        try:
            storage.check_writable()
        except DuetError as error:
            return f"refused: {error}"
    return "works"


def _of_broker(broker: "redis.Redis", case: Case, folder: Path) -> str:
    audio = folder / f"{case.given}.mp3"
    audio.write_bytes(ID3 + case.given.encode())
    broker.execute_command(*case.input)
    try:
        submit(audio, folder / "out", Options(legs=("whisper",)), job_store=JobStore())
    except DuetError as error:
        said = f"refused: {error}"
    else:
        return "submitted"
    for command in WELL_AGAIN:
        broker.execute_command(*command)
    submit(audio, folder / "out", Options(legs=("whisper",)), job_store=JobStore())
    return said
