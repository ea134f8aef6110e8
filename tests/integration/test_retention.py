"""Jobs that ended long ago leave Redis with all that belongs to them, and nothing else does."""

import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from beat.maintenance import retire_ended_jobs
from pipeline.client.inbox import Inbox
from pipeline.client.retention.ended_jobs import retire
from pipeline.client.submitter import SubmitStatus, Submitter
from pipeline.errors import TransientError
from pipeline.results.manifest import write_manifest
from pipeline.sources import find
from pipeline.state.batch_store import BatchStore
from pipeline.state.job_store import JobStore
from pipeline.state.webhook_subscriptions import Webhooks, register
from pipeline.storage import open_storage
from pipeline.storage.file import FileStorage
from pipeline.types import Episode, JobSpec, JobState, LegOutcome, Options
from pipeline.types.batch_record import Entry
from tests.batches import ID3, end_jobs, own_settings, result_of, write_audio

DAY_S = 24 * 3600.0
KEEP_S = 30 * DAY_S


@pytest.fixture
def job_store(valkey: str, tmp_path: Path) -> Iterator[JobStore]:
    with own_settings(valkey, tmp_path / "cache", DUET_INBOX=str(tmp_path / "in")):
        job_store = JobStore()
        job_store.redis.flushdb()
        yield job_store


def spec_of(folder: Path, number: int = 0) -> JobSpec:
    episode = f"{number:016x}"
    upload = folder / "uploads" / f"{number:032x}" / "ep.mp3"
    return JobSpec(
        job=f"{episode}-01234567",
        attempt=1,
        episode=Episode(id=episode, source="ep.mp3", slug="ep", size_bytes=len(ID3)),
        options=Options(),
        audio_uri=upload.as_uri(),
        uri=(folder / "hybrid" / f"ep-{episode}").as_uri(),
    )


def ended(job_store: JobStore, spec: JobSpec, ago_s: float, state: JobState = JobState.COMPLETED) -> JobSpec:
    """Let a job go its whole way: an upload, checkpoints, Celery's keys, webhooks, segments, a result."""
    upload = Path(spec.audio_uri.removeprefix("file://"))
    upload.parent.mkdir(parents=True, exist_ok=True)
    upload.write_bytes(ID3)
    register(job_store.redis, [spec.job], Webhooks(on_completed="https://you.example/told?token=secret"))
    job_store.begin(spec)
    job_store.note_leg(spec, "whisper", outcome=LegOutcome(leg="whisper", status="ok").model_dump_json())
    for step in ("whisper", "voxtral", "merge"):
        job_store.redis.set(f"celery-task-meta-{spec.task_id(step)}", "{}")
    job_store.redis.set(f"celery-taskset-meta-{spec.task_id('legs')}.s", 2)
    storage = open_storage(spec.uri)
    write_manifest(result_of(spec, state), storage)
    storage.put(f".work/{spec.job}/voxtral/section-0.json", b"{}")
    job_store.advance(spec, state, ended_at=time.time() - ago_s)
    with job_store.redis.pipeline() as pipe:
        pipe.zadd("duet:jobs", {spec.job: time.time() - ago_s - 1})
        pipe.hset(f"duet:job:{spec.job}", "submitted_at", time.time() - ago_s - 1)
        pipe.execute()
    return spec


def files(folder: Path) -> set[str]:
    return {it.relative_to(folder).as_posix() for it in folder.rglob("*") if it.is_file()}


def test_a_job_that_ended_long_ago_leaves_nothing_in_redis(job_store: JobStore, tmp_path: Path) -> None:
    spec = ended(job_store, spec_of(tmp_path), 31 * DAY_S)
    job_store.redis.delete("duet:metrics", "duet:webhooks:due")

    assert retire(job_store, KEEP_S, time.time()).jobs == 1

    assert job_store.redis.keys("*") == []
    assert files(tmp_path) - {"cache/digests.sqlite"} == {f"hybrid/ep-{spec.episode.id}/result.json"}


def test_what_has_not_ended_or_ended_lately_stays(job_store: JobStore, tmp_path: Path) -> None:
    # Given a job that ended yesterday, and one that waits since two months
    lately = ended(job_store, spec_of(tmp_path, 1), DAY_S)
    waiting = spec_of(tmp_path, 2)
    job_store.begin(waiting)
    job_store.redis.zadd("duet:jobs", {waiting.job: time.time() - 60 * DAY_S})

    assert retire(job_store, KEEP_S, time.time()).jobs == 0

    assert set(job_store.jobs()) == {lately.job, waiting.job}
    assert Path(lately.audio_uri.removeprefix("file://")).exists()


def test_hundreds_are_gone_at_once_and_those_between_them_stay(job_store: JobStore, tmp_path: Path) -> None:
    for number in range(700):
        ended(job_store, spec_of(tmp_path, number), (31 if number % 7 else 29) * DAY_S)

    assert retire(job_store, KEEP_S, time.time()).jobs == 600

    assert len(job_store.jobs()) == 100
    assert len(list((tmp_path / "uploads").glob("*/*"))) == 100
    assert retire(job_store, KEEP_S, time.time()).jobs == 0


def test_a_newer_attempt_keeps_its_job(job_store: JobStore, tmp_path: Path) -> None:
    spec = ended(job_store, spec_of(tmp_path), 31 * DAY_S, JobState.FAILED)
    job_store.begin(spec.model_copy(update={"attempt": 2}))

    assert not any(job_store.remove([(spec.job, 1)], time.time(), [[]]))
    assert retire(job_store, KEEP_S, time.time()).jobs == 0
    assert job_store.jobs() == [spec.job]


def test_while_storage_is_away_a_job_stays_but_not_for_ever(
    job_store: JobStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ended(job_store, spec_of(tmp_path), 31 * DAY_S)

    def away(*_: object) -> list[str]:
        raise TransientError("S3 does not answer.")

    monkeypatch.setattr(FileStorage, "list", away)
    assert retire(job_store, KEEP_S, time.time()).jobs == 0
    assert retire(job_store, KEEP_S, time.time() + KEEP_S).jobs == 1


def test_a_job_of_another_version_goes_too(job_store: JobStore, tmp_path: Path) -> None:
    spec = ended(job_store, spec_of(tmp_path), 31 * DAY_S)
    job_store.redis.hset(f"duet:job:{spec.job}", "spec", '{"of": "another version"}')

    assert retire(job_store, KEEP_S, time.time()).jobs == 1


def test_a_batch_goes_with_the_last_of_its_jobs(job_store: JobStore, tmp_path: Path) -> None:
    # Given a batch of long ago, of whose jobs one ended lately
    specs = [ended(job_store, spec_of(tmp_path, 1), 31 * DAY_S), ended(job_store, spec_of(tmp_path, 2), 29 * DAY_S)]
    batches = BatchStore(job_store.redis)
    batch = batches.create(["podcasts/"], tmp_path.as_uri(), {}).id
    batches.add(batch, [Entry(it.job, "ep.mp3", it.uri, 1) for it in specs])
    job_store.redis.zadd("duet:batches", {batch: time.time() - 32 * DAY_S})

    assert retire(job_store, KEEP_S, time.time()).batches == 0
    assert retire(job_store, KEEP_S, time.time() + 2 * DAY_S).batches == 1

    assert batches.ids() == []
    assert job_store.redis.keys("duet:batch:*") == []


def test_the_inbox_forgets_files_that_are_gone_and_takes_the_others_no_second_time(
    job_store: JobStore, tmp_path: Path
) -> None:
    inbox = tmp_path / "in"
    write_audio(inbox, "1.mp3", "2.mp3")
    place = Inbox(str(inbox), None, job_store)
    for now in (100.0, 200.0):
        place.scan(now, 10.0)
    (inbox / "1.mp3").unlink()

    assert retire(job_store, KEEP_S, time.time()).inbox_entries == 1

    assert place.scan(300.0, 10.0) == place.scan(400.0, 10.0) == 0, "2.mp3 was taken before"
    inbox.rename(tmp_path / "not mounted now")
    assert retire(job_store, KEEP_S, time.time()).inbox_entries == 0


def test_an_episode_whose_job_has_gone_is_found_to_be_done(job_store: JobStore, tmp_path: Path) -> None:
    # Given an episode whose job has left Redis
    write_audio(tmp_path / "podcasts", "1.mp3")
    (source,) = find(str(tmp_path / "podcasts"))
    submitter = Submitter(str(tmp_path / "results"), job_store=job_store)
    (begun,) = submitter.enqueue([submitter.prepare(source)])
    end_jobs(job_store, [begun.spec.job])
    retire(job_store, KEEP_S, time.time() + KEEP_S + 1)
    assert job_store.jobs() == []

    # Then it is not done again
    again = Submitter(str(tmp_path / "results"), job_store=job_store)
    assert again.prepare(source).status is SubmitStatus.DONE


def test_the_clock_lets_go_what_the_setting_says(valkey: str, tmp_path: Path) -> None:
    with own_settings(valkey, tmp_path / "cache", DUET_KEEP_JOBS_S="3600"):
        job_store = JobStore()
        job_store.redis.flushdb()
        ended(job_store, spec_of(tmp_path, 1), 7200)
        kept = ended(job_store, spec_of(tmp_path, 2), 60)

        retire_ended_jobs()

        assert job_store.jobs() == [kept.job]
