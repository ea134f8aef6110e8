"""Keys of objects in a bucket, byte for byte; no worker is needed."""

from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING

from pipeline import submit_all
from pipeline.state.job_store import JobStore
from pipeline.storage.s3 import S3Storage
from pipeline.types import JobSpec, Options
from tasks.base.audio_file import local_audio
from tests.batches import ID3, own_settings, records
from tests.services import AWS, BUCKET, start_aws, start_valkey
from tests.wild.case import Case

if TYPE_CHECKING:
    from mypy_boto3_s3.literals import StorageClassType

ARCHIVED = "archived object"
CASES = (
    Case("key", "marks of addresses", "shows/Show #1? 100%.mp3", "taken as 'shows/Show #1? 100%.mp3'"),
    Case("key", "looks quoted", "shows/a%20b+c.mp3", "taken as 'shows/a%20b+c.mp3'"),
    Case("key", "other letters", "shows/Cafe\u0301 🎙.mp3", "taken as 'shows/Cafe\u0301 🎙.mp3'"),
    Case("key", "two slashes", "shows//twice.mp3", "taken as 'shows//twice.mp3'"),
    Case("key", "a slash first", "/first.mp3", "taken as '/first.mp3'"),
    Case("key", "dots", "shows/../up.mp3", "taken as 'shows/../up.mp3'"),
    Case("key", "backslash", "shows\\ep.mp3", "taken as 'shows"),
    Case("key", "a folder of consoles", "shows/", "skipped: it is a folder"),
    Case(ARCHIVED, "in Glacier", "shows/cold.mp3", "rejected: "),
    Case("key", "unfinished", "shows/ep.mp3.part", "skipped: it is a download that has not ended"),
    Case("key", "a page", "shows/index.html", "skipped: it is not audio"),
)


def answers(cases: tuple[Case, ...], folder: Path) -> dict[Case, str]:
    """Put all objects into one bucket, and submit it."""
    with ExitStack() as stack:
        url = stack.enter_context(start_valkey(folder))
        aws = stack.enter_context(start_aws(folder))  # it keeps keys as they are
        stack.enter_context(own_settings(url, folder / "cache", DUET_S3_ENDPOINT_URL=aws, **AWS))
        client = S3Storage(BUCKET).client
        client.create_bucket(Bucket=BUCKET)
        for case in cases:
            kept: StorageClassType = "GLACIER" if case.kind == ARCHIVED else "STANDARD"
            body = b"" if case.input.endswith("/") else ID3 + case.input.encode()
            client.put_object(Bucket=BUCKET, Key=case.input, Body=body, StorageClass=kept)
        batch = submit_all([f"s3://{BUCKET}/"], folder / "out", Options(legs=("whisper",)))
        taken = {_heard(record.spec): record.spec for record in records(JobStore())}
        left_out = {it.source: f"skipped: {it.reason}" for it in batch.skipped}
        left_out |= {it.source: f"rejected: {it.reason}" for it in batch.rejected}
        root = f"s3://{BUCKET}/"
        return {
            it: _answer(taken.get(ID3 + it.input.encode()), root) or left_out.get(root + it.input, "not taken")
            for it in cases
        }


def _heard(spec: JobSpec) -> bytes:
    with local_audio(spec) as path:
        return path.read_bytes()


def _answer(spec: JobSpec | None, root: str) -> str:
    return f"taken as {spec.episode.source.removeprefix(root)!r}" if spec else ""
