"""How fast weights come from a bucket: `python -m tests.benchmarks.models`.

Three ways to the same end, a file on this disk whose SHA-256 was checked, in turn: one stream and then the
digest; boto3's own download in parts and then the digest; ours. The server is a SeaweedFS on this machine, so
that both ends share its cores. `--stream-mb-s` puts something before it that lets no connection have more than
that, as S3 does (some 90 MB/s) and a machine on this one cannot.
"""

import argparse
import os
import random
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from hashlib import file_digest
from pathlib import Path
from statistics import median

from pipeline.settings import settings
from pipeline.storage.s3 import S3Object, S3Storage
from pipeline.storage.weights.resumable_download import fetch
from pipeline.storage.weights.versions import bucket_at
from tests.benchmarks.throttle import throttled
from tests.services import start_s3

MB = 10**6
BLOCK_BYTES = 1 << 20
Way = Callable[[S3Storage, S3Object, Path, str], None]


def single_stream(storage: S3Storage, it: S3Object, target: Path, digest: str) -> None:
    """Read the object from its first byte to its last, then check it."""
    with target.open("wb") as file:
        for block in storage.blocks(it.name):
            file.write(block)
    _check(target, digest)


def boto3_parts(storage: S3Storage, it: S3Object, target: Path, digest: str) -> None:
    """Have boto3 download it in parts, then check it."""
    storage.client.download_file(storage.bucket, storage.prefix + it.name, str(target))
    _check(target, digest)


WAYS: dict[str, Way] = {"single stream": single_stream, "boto3's parts": boto3_parts, "ours": fetch}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--mb", type=int, default=512, help="size of the file")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--stream-mb-s", type=float, help="most that one connection gets")
    asked = parser.parse_args()
    folder = Path(tempfile.mkdtemp(prefix="duet-models-"))
    try:
        with _bucket(folder, asked.stream_mb_s) as storage:
            _compare(storage, folder, asked.mb * MB, asked.rounds)
    finally:
        shutil.rmtree(folder)


@contextmanager
def _bucket(folder: Path, stream_mb_s: float | None) -> Iterator[S3Storage]:
    (folder / "s3").mkdir()
    with ExitStack() as running:
        server = running.enter_context(start_s3(folder / "s3"))
        os.environ.update(server.environment)
        if stream_mb_s:
            os.environ["DUET_S3_ENDPOINT_URL"] = running.enter_context(throttled(server.endpoint_url, stream_mb_s * MB))
        settings.cache_clear()
        yield bucket_at(f"s3://{server.bucket}/models")


def _compare(storage: S3Storage, folder: Path, size_bytes: int, rounds: int) -> None:
    source = folder / "weights.pt"
    chance = random.Random(1)
    with source.open("wb") as file:
        for _ in range(size_bytes // MB):
            file.write(chance.randbytes(MB))
    storage.put(source.name, source)
    with source.open("rb") as file:
        digest = file_digest(file, "sha256").hexdigest()
    source.unlink()
    it = next(iter(storage.objects()))
    seconds: dict[str, list[float]] = {name: [] for name in WAYS}
    for number in range(rounds):
        for name, way in WAYS.items():
            target = folder / "there" / f"{number}-{name}.pt"
            target.parent.mkdir(exist_ok=True)
            began = time.monotonic()
            way(storage, it, target, digest)
            seconds[name].append(time.monotonic() - began)
            target.unlink()
    print(f"{size_bytes / MB:,.0f} MB, {rounds} rounds in turn, each checked against its SHA-256\n")
    print(f"{'':<16}{'median':>9}{'least':>9}{'most':>9}{'MB/s':>9}{'times single stream':>22}")
    plain = median(seconds["single stream"])
    for name, each in seconds.items():
        middle = median(each)
        line = f"{middle:>8.2f}s{min(each):>8.2f}s{max(each):>8.2f}s{size_bytes / MB / middle:>9.0f}"
        print(f"{name:<16}{line}{plain / middle:>22.2f}")


def _check(target: Path, digest: str) -> None:
    with target.open("rb") as file:
        if file_digest(file, "sha256").hexdigest() != digest:
            raise SystemExit(f"{target} is damaged.")


if __name__ == "__main__":
    main()
