"""Many uploads at once through `duet serve`, and the same files through `submit()`, with engines that take no time.

`python -m tests.benchmarks.uploads` prints what one upload takes until it is answered (median, 95th percentile,
longest), how many are lost, and how that compares with the Python API, in interleaved rounds.
"""

import argparse
import asyncio
import statistics
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from pipeline.client.api import submit
from pipeline.state.job_store import JobStore
from pipeline.types import JobState
from tests.faults.fleet import Fleet, wait_until
from tests.http.server import Server, audio, serve
from tests.http.test_many import send_all

THREADS = 8


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--uploads", type=int, default=200)
    parser.add_argument("--bytes", type=int, default=1_000_000)
    parser.add_argument("--rounds", type=int, default=3)
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        fleet = Fleet(Path(folder))
        try:
            fleet.start_all()
            with serve(fleet, fleet.results / "http") as server, fleet.client():
                rounds = [_round(server, asked.uploads, asked.bytes) for _ in range(asked.rounds)]
                _report(rounds, asked.uploads)
                _wait_for_all(asked.uploads * asked.rounds * 2)
        finally:
            fleet.stop()


def _round(server: Server, count: int, size_bytes: int) -> tuple[list[float], float, float]:
    """Return what each upload took, what all of them took, and what the same number took by the Python API."""
    sounds = [audio() + bytes(size_bytes) for _ in range(count)]
    began = time.monotonic()
    answers = asyncio.run(send_all(server.url, sounds))
    http_s = time.monotonic() - began
    assert all(answer.status_code in (200, 202) for answer, _ in answers), "one was refused"
    folder = Path(tempfile.mkdtemp(dir=server.fleet.folder))
    paths = [folder / f"direct-{number}.mp3" for number in range(count)]
    for path in paths:
        path.write_bytes(audio() + bytes(size_bytes))
    job_store = JobStore()
    began = time.monotonic()
    with ThreadPoolExecutor(THREADS) as threads:
        list(threads.map(lambda path: submit(path, server.fleet.results / "direct", job_store=job_store), paths))
    return [took_s for _, took_s in answers], http_s, time.monotonic() - began


def _report(rounds: list[tuple[list[float], float, float]], count: int) -> None:
    took = sorted(it for each, _, _ in rounds for it in each)
    http_s = statistics.median(it for _, it, _ in rounds)
    api_s = statistics.median(it for _, _, it in rounds)
    print(f"{count} uploads at once, {len(rounds)} rounds, medians:")
    print(f"  answered after {statistics.median(took):.2f} s, 95 % within {took[int(len(took) * 0.95)]:.2f} s,", end="")
    print(f" the last after {took[-1]:.2f} s")
    print(f"  all by HTTP {http_s:.2f} s, all by submit() {api_s:.2f} s, ratio {http_s / api_s:.2f}")


def _wait_for_all(count: int) -> None:
    job_store = JobStore()
    wait_until(lambda: not job_store.open_jobs(), "every job has ended", timeout_s=3600)
    states = list(job_store.states(job_store.jobs()))
    print(f"  {states.count(JobState.COMPLETED)} of {count} jobs completed, {count - len(states)} lost")


if __name__ == "__main__":
    main()
