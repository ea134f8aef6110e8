"""Ranged download of a large object: its byte ranges, each read with retries."""

import time
from collections import deque
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass

from pipeline.errors import TransientError
from pipeline.storage.s3 import S3Object, S3Storage

PART_BYTES = 16 << 20
PARTS_AT_ONCE = 8
"""Number of parallel connections: S3 sends about 90 MB/s on one and gigabytes to one machine; boto3 pools ten."""
TRIES = 5
BACKOFF_S = 0.5


@dataclass(frozen=True)
class ByteRange:
    """A range of an object's bytes."""

    index: int
    first: int
    size_bytes: int


def byte_ranges_of(it: S3Object) -> list[ByteRange]:
    """Return the byte ranges of an object, in order."""
    firsts = range(0, it.size_bytes, PART_BYTES)
    return [ByteRange(index, first, min(PART_BYTES, it.size_bytes - first)) for index, first in enumerate(firsts)]


def read_range(storage: S3Storage, it: S3Object, part: ByteRange) -> Iterator[tuple[int, bytes]]:
    """Yield a byte range in blocks, each with its offset in the object; an interrupted read resumes.

    Raises:
        StorageError: the bucket rejects the request, or the object has changed.
        TransientError: the bucket does not respond after several tries.
    """
    at, end = part.first, part.first + part.size_bytes
    for remaining in reversed(range(TRIES)):
        try:
            for block in storage.part(it, at, end - at):
                yield at, block
                at += len(block)
            if at == end:
                return
            raise TransientError(f"{storage.uri}/{it.name}: the answer broke off.")
        except TransientError:
            if not remaining:
                raise
            time.sleep(BACKOFF_S * 2 ** (TRIES - 1 - remaining))


def read_in_order(storage: S3Storage, it: S3Object) -> Iterator[bytes]:
    """Yield all bytes of an object in order, while the next ranges are read in parallel.

    Raises:
        StorageError, TransientError: as in `read_range`.
    """
    coming: deque[Future[bytes]] = deque()
    with ThreadPoolExecutor(PARTS_AT_ONCE) as pool:
        try:
            for part in byte_ranges_of(it):
                coming.append(pool.submit(_read_whole, storage, it, part))
                if len(coming) == PARTS_AT_ONCE:
                    yield coming.popleft().result()
            while coming:
                yield coming.popleft().result()
        finally:
            pool.shutdown(cancel_futures=True)


def _read_whole(storage: S3Storage, it: S3Object, part: ByteRange) -> bytes:
    return b"".join(block for _, block in read_range(storage, it, part))
