"""Keys of objects in a bucket, byte for byte; no worker is needed."""

from contextlib import ExitStack
from pathlib import Path

from pipeline import submit_all
from pipeline.state.job_store import JobStore
from pipeline.storage.s3 import S3Storage
from pipeline.types import JobSpec, Options
from tasks.base.audio_file import local_audio
from tests.batches import ID3, own_settings, records
from tests.services import start_s3, start_valkey
from tests.wild.case import Case

CASES = (
    Case("key", "marks of addresses", "shows/Show #1? 100%.mp3", "taken as 'shows/Show #1? 100%.mp3'"),
    Case("key", "looks quoted", "shows/a%20b+c.mp3", "taken as 'shows/a%20b+c.mp3'"),
    Case("key", "other letters", "shows/Cafe\u0301 🎙.mp3", "taken as 'shows/Cafe\u0301 🎙.mp3'"),
    Case("key", "unfinished", "shows/ep.mp3.part", "skipped: it is a download that has not ended"),
    Case("key", "a page", "shows/index.html", "skipped: it is not audio"),
)


def answers(cases: tuple[Case, ...], folder: Path) -> dict[Case, str]:
    """Put all objects into one bucket, and submit it."""
    with ExitStack() as stack:
        url = stack.enter_context(start_valkey(folder))
        s3 = stack.enter_context(start_s3(folder))
        stack.enter_context(own_settings(url, folder / "cache", **s3.environment))
        client = S3Storage(s3.bucket).client
        for case in cases:
            client.put_object(Bucket=s3.bucket, Key=case.input, Body=ID3 + case.input.encode())
        batch = submit_all([f"s3://{s3.bucket}/"], folder / "out", Options(legs=("whisper",)))
        taken = {_heard(record.spec): record.spec for record in records(JobStore())}
        left_out = {it.source: f"skipped: {it.reason}" for it in batch.skipped}
        left_out |= {it.source: f"rejected: {it.reason}" for it in batch.rejected}
        root = f"s3://{s3.bucket}/"
        return {
            it: _answer(taken.get(ID3 + it.input.encode()), root) or left_out.get(root + it.input, "not taken")
            for it in cases
        }


def _heard(spec: JobSpec) -> bytes:
    with local_audio(spec) as path:
        return path.read_bytes()


def _answer(spec: JobSpec | None, root: str) -> str:
    return f"taken as {spec.episode.source.removeprefix(root)!r}" if spec else ""
