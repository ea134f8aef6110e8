"""What a batch costs: `python -m tests.benchmarks.batches`.

Submits folders of 100, 1,000 and 10,000 small files, as they are and once more, to a Valkey without workers,
and prints how long hashing and submitting take, the memory of Valkey, and the peak memory of the client. Each
row is measured in a process of its own.
"""

import argparse
import json
import multiprocessing
import resource
import tempfile
import time
from pathlib import Path
from typing import Any

from tests.batches import ID3, own_settings
from tests.services import start_valkey

SIZES = (100, 1_000, 10_000)
FOLDERS = 100
FILE_BYTES = 4096


def main() -> None:
    """Print one row a size."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("sizes", nargs="*", type=int, default=SIZES, help="numbers of files")
    sizes = parser.parse_args().sizes
    print(
        "| files | reading and hashing | submitting | both | of it client's CPU | again, all under way "
        "| Valkey | a job | client's peak |"
    )
    print("|---|---|---|---|---|---|---|---|---|")
    for size in sizes:
        with multiprocessing.get_context("spawn").Pool(1) as pool:
            it = pool.apply(measure, (size,))
        print(
            f"| {size:,} | {it['hashing_s']:.1f} s | {it['submitting_s']:.1f} s | {it['both_s']:.1f} s "
            f"| {it['cpu_s']:.1f} s | {it['again_s']:.1f} s | {it['valkey_bytes'] / 1e6:.1f} MB "
            f"| {it['valkey_bytes'] / size / 1e3:.1f} kB | {it['client_bytes'] / 1e6:.0f} MB |",
            flush=True,
        )


def measure(size: int) -> dict[str, float]:
    """Return the figures of one size."""
    from pipeline import submit_folder
    from pipeline.sources import LocalFile, find
    from pipeline.sources.digest_cache import Digests
    from pipeline.state.redis import connect

    with tempfile.TemporaryDirectory() as folder, start_valkey(Path(folder)) as url:
        show = make_files(Path(folder) / "show", size)
        with own_settings(url, Path(folder) / "cache"):
            digests = Digests(Path(folder) / "separate.sqlite")
            hashing_s = timed(lambda: [it.read(digests) for it in find(show) if isinstance(it, LocalFile)])
            cpu_s = -time.process_time()
            both_s = timed(lambda: submit_folder(show, Path(folder) / "out"))
            cpu_s += time.process_time()
            valkey_bytes = connect().info("memory")["used_memory"]
            again_s = timed(lambda: submit_folder(show, Path(folder) / "out"))
    return {
        "hashing_s": hashing_s,
        "submitting_s": max(0.0, both_s - hashing_s),
        "both_s": both_s,
        "cpu_s": cpu_s,
        "again_s": again_s,
        "valkey_bytes": valkey_bytes,
        "client_bytes": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024,
    }


def make_files(folder: Path, size: int) -> Path:
    """Write files that look like audio, in folders as shows are."""
    for number in range(size):
        show = folder / f"show-{number % FOLDERS:03}"
        show.mkdir(parents=True, exist_ok=True)
        head = ID3 + json.dumps(number).encode()
        (show / f"episode-{number:05}.mp3").write_bytes(head + bytes(FILE_BYTES - len(head)))
    return folder


def timed(work: Any) -> float:
    """Return how many seconds something takes."""
    started = time.perf_counter()
    work()
    return time.perf_counter() - started


if __name__ == "__main__":
    main()
