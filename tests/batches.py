"""Batches without workers: audio that need not sound, and jobs that end when the test says so."""

import os
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from pipeline.results.manifest import clear_work, write_manifest
from pipeline.settings import settings
from pipeline.state.job_store import JobStore
from pipeline.storage import open_storage
from pipeline.types import EpisodeResult, JobSpec, JobState, LegOutcome
from pipeline.types.records import JobRecord
from pipeline.types.time_format import iso

ID3 = b"ID3\x04\x00\x00\x00\x00\x00\x00"


def write_audio(folder: Path, *names: str) -> None:
    """Write files that look like audio, each with bytes of its own."""
    for name in names:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(ID3 + name.encode())


def end_jobs(job_store: JobStore, jobs: Iterable[str], state: JobState = JobState.COMPLETED) -> None:
    """Let jobs end as the merge does: the manifest first, then the state."""
    for job in jobs:
        record = job_store.get(job)
        assert record
        if state is not JobState.CANCELLED:
            result, storage = result_of(record.spec, state), open_storage(record.spec.uri)
            write_manifest(result, storage)
            clear_work(result, storage, is_public=True)
        job_store.advance(record.spec, state, ended_at=time.time(), reason="" if state is JobState.COMPLETED else "So.")


def result_of(spec: JobSpec, state: JobState) -> EpisodeResult:
    """Return a result with both legs."""
    status = "failed" if state is JobState.FAILED else "ok"
    return EpisodeResult(
        job=spec.job,
        attempt=spec.attempt,
        episode=spec.episode,
        options=spec.options,
        state=state,
        audio_s=60.0,
        legs={
            "whisper": LegOutcome(leg="whisper", status=status, audio_s=60.0),
            "voxtral": LegOutcome(leg="voxtral", status=status),
        },
        submitted_at=iso(time.time()),
    )


def records(job_store: JobStore) -> list[JobRecord]:
    """Return every job there is."""
    return [record for record in job_store.get_many(job_store.jobs()) if record]


@contextmanager
def own_settings(url: str, cache: Path, **variables: str) -> Iterator[None]:
    """Let this process use a broker, a cache of its own, and further settings."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("DUET_BROKER_URL", url)
        patch.setenv("DUET_CACHE_DIR", str(cache))
        patch.setenv("DUET_STATE_DIR", str(cache))
        patch.setenv("DUET_CLIENT_TIMEOUT_S", "60")  # a busy machine's broker may be slow without being away
        for name, value in variables.items():
            patch.setenv(name, value)
        settings.cache_clear()
        yield
    settings.cache_clear()


def bare_environment(monkeypatch: pytest.MonkeyPatch, folder: Path) -> Callable[..., None]:
    """Remove Duet's and AWS's variables, let boto3 read its files in a folder, and return what sets variables."""
    for name in [name for name in os.environ if name.startswith(("AWS_", "DUET_"))]:
        monkeypatch.delenv(name)

    def set_variables(**variables: str) -> None:
        for name, value in variables.items():
            monkeypatch.setenv(name, value)
        settings.cache_clear()

    set_variables(
        AWS_CONFIG_FILE=str(folder / "config"),
        AWS_SHARED_CREDENTIALS_FILE=str(folder / "credentials"),
        AWS_EC2_METADATA_DISABLED="true",
    )
    return set_variables
