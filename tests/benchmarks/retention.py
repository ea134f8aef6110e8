"""Whether Redis and the disk stay as they are, however many jobs end: `python -m tests.benchmarks.retention`.

Lets 20,000 jobs go their whole way through the real job store, batches, webhooks and storage, a page of uploads at a
time, with Celery's own keys, while what the clock runs (`beat.retire`) lets go of what ended more than a few seconds
ago. Prints at intervals how many there are in Redis and what they take of it, and what lies in the folder beside the
results that are to stay. `--keep-s inf` shows how it would grow.
"""

import argparse
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

from pipeline.client.retention.ended_jobs import retire
from pipeline.client.retention.redis_keys import result_keys
from pipeline.results.manifest import write_manifest
from pipeline.state.batch_store import BatchStore
from pipeline.state.job_store import JobStore
from pipeline.state.redis import connect
from pipeline.state.webhook_subscriptions import Webhooks, register
from pipeline.storage import open_storage
from pipeline.types import Episode, JobSpec, JobState, LegOutcome, Options, Segment
from pipeline.types.batch_record import Entry
from tests.batches import own_settings, result_of
from tests.services import start_valkey

JOBS, BATCH, ROWS = 20_000, 500, 10
AUDIO = bytes(4096)
MISSING = 10
"""One job in so many ends failed, with its upload, its checkpoints and its reason."""


@dataclass(frozen=True)
class _Disk:
    results_bytes: int
    rest_bytes: int


def main() -> None:
    """Print a row for each tenth of the jobs."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--jobs", type=int, default=JOBS)
    parser.add_argument("--keep-s", type=float, default=5.0, help="DUET_KEEP_JOBS_S")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder, start_valkey(Path(folder)) as url:
        work = Path(folder) / "work"
        with own_settings(url, work / "cache"):
            _measure(JobStore(), work, asked.jobs, asked.keep_s)


def _measure(job_store: JobStore, work: Path, jobs: int, keep_s: float) -> None:
    print(f"| ended | jobs in Redis | keys | Redis | results | else on the disk |   (kept for {keep_s:g} s)")
    print("|---|---|---|---|---|---|")
    for first in range(0, jobs, BATCH):
        _work_through(job_store, work, range(first, min(first + BATCH, jobs)))
        retire(job_store, keep_s, time.time())
        if (first + BATCH) % (jobs // ROWS) < BATCH:
            _print_row(work, job_store, first + BATCH)
    if keep_s < float("inf"):
        time.sleep(keep_s)
        retire(job_store, keep_s, time.time())
        _print_row(work, job_store, jobs)


def _work_through(job_store: JobStore, work: Path, numbers: range) -> None:
    """Let a batch of jobs be submitted, heard and ended."""
    batches = BatchStore(job_store.redis)
    batch = batches.create(["podcasts/"], work.as_uri(), {}).id
    specs = [_spec(work, number) for number in numbers]
    register(job_store.redis, [it.job for it in specs], Webhooks(on_completed="https://you.example/told"))
    job_store.begin_many(specs)
    job_store.note_sent(specs)
    batches.add(batch, [Entry(it.job, it.episode.source, it.uri, len(AUDIO)) for it in specs])
    batches.close(batch)
    for number, spec in zip(numbers, specs, strict=True):
        _end(job_store, spec, JobState.FAILED if number % MISSING == 0 else JobState.COMPLETED)


def _spec(work: Path, number: int) -> JobSpec:
    episode = f"{number:016x}"
    return JobSpec(
        job=f"{episode}-01234567",
        attempt=1,
        episode=Episode(id=episode, source=f"show/episode-{number}.mp3", slug="episode", size_bytes=len(AUDIO)),
        options=Options(),
        audio_uri=(work / "uploads" / f"{number:032x}" / "ep.mp3").as_uri(),
        uri=(work / "hybrid" / f"episode-{episode}").as_uri(),
    )


def _end(job_store: JobStore, spec: JobSpec, state: JobState) -> None:
    storage = open_storage(spec.uri)
    upload = Path(spec.audio_uri.removeprefix("file://"))
    upload.parent.mkdir(parents=True)
    upload.write_bytes(AUDIO)
    status = "failed" if state is JobState.FAILED else "ok"
    for leg in ("whisper", "voxtral"):
        outcome = LegOutcome(leg=leg, status=status, audio_s=60.0, reason="So." if status == "failed" else "")
        job_store.note_leg(spec, leg, outcome=outcome.model_dump_json(), text="The last line that was heard.")
    job_store.add_segments(spec, [Segment(id=0, start_s=0.0, end_s=60.0, text="All that was said.")])
    for key in result_keys(spec.job, spec.attempt)[:6]:
        job_store.redis.set(key, '{"status": "SUCCESS"}', ex=7 * 24 * 3600)
    storage.put(f".work/{spec.job}/voxtral/0.json", b"{}")
    write_manifest(result_of(spec, state), storage)
    job_store.advance(spec, state, ended_at=time.time(), reason="So." if state is JobState.FAILED else "")
    job_store.redis.delete("duet:webhooks:due")  # as the clock does


def _print_row(work: Path, job_store: JobStore, ended: int) -> None:
    disk = _disk(work)
    with connect() as client:
        used_bytes, keys = client.info("memory")["used_memory"], client.dbsize()
    print(
        f"| {ended:,} | {len(job_store.jobs()):,} | {keys:,} | {used_bytes / 1e6:.1f} MB "
        f"| {disk.results_bytes / 1e6:.1f} MB | {disk.rest_bytes / 1e6:.1f} MB |",
        flush=True,
    )


def _disk(work: Path) -> _Disk:
    sizes = {path: path.stat().st_size for path in work.rglob("*") if path.is_file()}
    results = sum(size for path, size in sizes.items() if path.name == "result.json")
    return _Disk(results, sum(sizes.values()) - results)


if __name__ == "__main__":
    main()
