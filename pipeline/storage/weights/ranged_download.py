"""The parts in which a large object is read, and one of them, read until it has come."""

import time
from collections import deque
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass

from pipeline.errors import TransientError
from pipeline.storage.s3 import S3Object, S3Storage

PART_BYTES = 16 << 20
PARTS_AT_ONCE = 8
"""S3 gives one connection some 90 MB/s and a machine gigabytes; boto3 keeps ten connections."""
TRIES = 5
BACKOFF_S = 0.5


@dataclass(frozen=True)
class ByteRange:
    """A stretch of an object's bytes."""

    index: int
    first: int
    size_bytes: int


def byte_ranges_of(it: S3Object) -> list[ByteRange]:
    """Return the parts of an object, in their order."""
    firsts = range(0, it.size_bytes, PART_BYTES)
    return [ByteRange(index, first, min(PART_BYTES, it.size_bytes - first)) for index, first in enumerate(firsts)]


def read_range(storage: S3Storage, it: S3Object, part: ByteRange) -> Iterator[tuple[int, bytes]]:
    """Yield a part's blocks, each with its place in the object; after a break those that are missing.

    Raises:
        StorageError, TransientError: the bucket refuses, does not answer for long, or has another object by now.
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
    """Yield all bytes of an object in their order, while the next parts are on their way.

    Raises:
        StorageError, TransientError: as `read_range` does.
    """
    coming: deque[Future[bytes]] = deque()
    with ThreadPoolExecutor(PARTS_AT_ONCE) as pool:
        try:
            for part in byte_ranges_of(it):
                coming.append(pool.submit(_whole, storage, it, part))
                if len(coming) == PARTS_AT_ONCE:
                    yield coming.popleft().result()
            while coming:
                yield coming.popleft().result()
        finally:
            pool.shutdown(cancel_futures=True)


def _whole(storage: S3Storage, it: S3Object, part: ByteRange) -> bytes:
    return b"".join(block for _, block in read_range(storage, it, part))
