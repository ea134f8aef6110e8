"""One item that cannot be read keeps what runs on a clock from nothing else."""

import logging
from collections.abc import Iterator
from pathlib import Path

import pytest

from beat.sweeper import sweep
from pipeline.messaging import chord
from pipeline.messaging.promotion import promote
from pipeline.messaging.queues import lists_of, task_ids
from pipeline.settings import settings
from pipeline.state.job_store import JobStore
from pipeline.state.worker_registry import Worker, WorkerRegistry, unacked_key
from pipeline.types import LEGS, Episode, JobSpec, Options
from pipeline.types.records import SEND_GRACE_S
from tests.services import start_valkey

STEP_S = 600.0
GARBAGE = ["garbage", "[]", "7", '{"headers": 1}', '{"headers": {"id": "a.whisper.1"}}']


@pytest.fixture
def job_store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[JobStore]:
    with start_valkey(tmp_path) as url:
        monkeypatch.setenv("DUET_BROKER_URL", url)
        settings.cache_clear()
        yield JobStore()
    settings.cache_clear()


def noted(job_store: JobStore, number: int) -> JobSpec:
    """Return a job that was noted long ago and never sent."""
    episode = Episode(id=f"{number:016x}", source="ep.mp3", slug="ep", size_bytes=5)
    audio = {"audio_uri": "file:///ep.mp3", "uri": "file:///results/ep"}
    spec = JobSpec(job=f"{episode.id}-01234567", attempt=1, episode=episode, options=Options(), priority=5, **audio)
    assert job_store.begin(spec)
    job_store.redis.hincrbyfloat(f"duet:job:{spec.job}", "submitted_at", -2 * SEND_GRACE_S)
    return spec


def test_what_waits_goes_up_past_items_that_are_no_messages(job_store: JobStore) -> None:
    # Given a job that waits among what no worker could read, and no worker that would drop it
    spec = noted(job_store, 1)
    chord.send(spec)
    lists = lists_of("voxtral")
    for item in GARBAGE:
        job_store.redis.lpush(lists[5], item)
        job_store.redis.rpush(lists[5], item)
    record = job_store.get(spec.job)
    assert record is not None

    # When it has waited for one step, then all its legs go up, and the rest stays
    assert promote(job_store.redis, record.submitted_at + 1.5 * STEP_S, STEP_S) == len(LEGS)
    assert job_store.redis.llen(lists[4]) == 1
    assert job_store.redis.llen(lists[5]) == 2 * len(GARBAGE)


def test_what_a_worker_holds_is_known_although_something_else_lies_there(job_store: JobStore) -> None:
    worker = Worker.here("whisper@gpu")
    WorkerRegistry(job_store.redis).heartbeat(worker)
    held = {str(number): item for number, item in enumerate(GARBAGE)} | {"good": '[{"headers": {"id": "b.whisper.1"}}]'}
    job_store.redis.hset(unacked_key(worker.id), mapping=held)

    assert task_ids(job_store.redis) == {"b.whisper.1"}


def test_a_job_that_cannot_be_read_keeps_the_sweeper_from_no_other(
    job_store: JobStore, caplog: pytest.LogCaptureFixture
) -> None:
    # Given two jobs that were never sent, and one between them that another version has written
    before, odd, behind = (noted(job_store, number) for number in range(3))
    job_store.redis.hset(f"duet:job:{odd.job}", "state", "of another version")

    # When the sweeper looks
    with caplog.at_level(logging.ERROR):
        sweep()

    # Then it has sent the others, and said which it could not
    sent = {spec.job for spec in (before, behind) if (record := job_store.get(spec.job)) and record.sent_at}
    assert sent == {before.job, behind.job}
    assert [it.message for it in caplog.records] == [f"{odd.job} cannot be checked; the other jobs are."]
