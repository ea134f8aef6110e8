"""Storage in an S3 bucket, on AWS or any S3-compatible server."""

import hashlib
import uuid
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, TypeVar

from boto3.exceptions import S3UploadFailedError
from botocore.exceptions import ClientError

from pipeline.errors import StorageError
from pipeline.settings import settings
from pipeline.storage import content_type
from pipeline.storage.copies import EARLIER, UNFINISHED, Copies
from pipeline.storage.s3_client import client_for, may_refuse_checksums, note_refused, plain
from pipeline.storage.s3_errors import NOT_FOUND, readable_errors

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client
    from mypy_boto3_s3.type_defs import HeadObjectOutputTypeDef

Answer = TypeVar("Answer")
PROBE = ".duet-probe"
BLOCK_BYTES = 1 << 20


@dataclass(frozen=True)
class S3Object:
    """An object in a listing."""

    name: str
    """Name relative to the storage's prefix; in a whole bucket, the key."""
    tag: str
    size_bytes: int
    changed_at: float
    """Seconds since the epoch."""


class S3Storage:
    """Objects under a prefix of a bucket; S3 shows an object only when its upload is complete.

    boto3 does multipart uploads, checksums (CRC32 unless the environment selects another) and the first retries. A
    server or network error after them is raised as a `TransientError`.
    """

    def __init__(self, bucket: str, prefix: str = "") -> None:
        self.bucket = bucket
        self.prefix = f"{prefix}/" if prefix else ""
        self.uri = f"s3://{bucket}/{prefix}" if prefix else f"s3://{bucket}"
        self.client = client_for(bucket)

    def put(self, name: str, data: bytes | Path) -> None:
        """Upload an object with its content type."""
        key = self._key(name)
        with self._readable_errors(name):
            self._ask(lambda client: _upload(client, self.bucket, key, data))

    def get(self, name: str) -> bytes:
        """Download an object into memory."""
        with self._readable_errors(name):
            key = self._key(name)
            return self._ask(lambda client: client.get_object(Bucket=self.bucket, Key=key))["Body"].read()

    def exists(self, name: str) -> bool:
        """Return whether the object exists, by a HEAD request."""
        return self.tag(name) is not None

    def tag(self, name: str) -> str | None:
        """Return the object's ETag."""
        known = self._head(name)
        return known["ETag"] if known else None

    def folders(self) -> list[str]:
        """Return the names of the common prefixes up to the next `/`, sorted."""
        pages = self.client.get_paginator("list_objects_v2")
        with self._readable_errors(""):
            found = [
                item["Prefix"].removeprefix(self.prefix).rstrip("/")
                for page in pages.paginate(Bucket=self.bucket, Prefix=self.prefix, Delimiter="/")
                for item in page.get("CommonPrefixes", [])
            ]
        return sorted(found)

    def list(self, prefix: str = "") -> list[str]:
        """Return the names that begin with a prefix, sorted."""
        return sorted(item.name for item in self.objects(prefix))

    def objects(self, prefix: str = "") -> Iterator[S3Object]:
        """Yield the objects whose names begin with a prefix, page by page."""
        pages = self.client.get_paginator("list_objects_v2")
        with self._readable_errors(prefix):
            for page in pages.paginate(Bucket=self.bucket, Prefix=self.prefix + prefix):
                for item in page.get("Contents", []):
                    name = item["Key"].removeprefix(self.prefix)
                    yield S3Object(name, item["ETag"], item["Size"], item["LastModified"].timestamp())

    def found(self, name: str) -> S3Object | None:
        """Return an object as a listing would, by a HEAD request, or None if it does not exist."""
        head = self._head(name)
        return S3Object(name, head["ETag"], head["ContentLength"], head["LastModified"].timestamp()) if head else None

    def head(self, name: str, count: int) -> bytes:
        """Return the first bytes of an object, by its name in a listing."""
        with self._readable_errors(name):
            wanted = f"bytes=0-{count - 1}"
            key = self.prefix + name
            return self._ask(lambda client: client.get_object(Bucket=self.bucket, Key=key, Range=wanted))["Body"].read()

    def part(self, it: S3Object, first: int, count: int) -> Iterator[bytes]:
        """Yield a byte range of an object in blocks; raises StorageError if its version is not the listed one."""
        wanted = f"bytes={first}-{first + count - 1}"
        with self._readable_errors(it.name):
            answer = self.client.get_object(Bucket=self.bucket, Key=self._key(it.name), Range=wanted, IfMatch=it.tag)
            yield from answer["Body"].iter_chunks(BLOCK_BYTES)

    def blocks(self, name: str) -> Iterator[bytes]:
        """Yield an object's bytes, by its name in a listing, in blocks: memory use does not depend on its size."""
        with self._readable_errors(name):
            found = self._ask(lambda client: client.get_object(Bucket=self.bucket, Key=self.prefix + name))
            yield from found["Body"].iter_chunks(BLOCK_BYTES)

    def delete(self, name: str) -> None:
        """Remove an object."""
        with self._readable_errors(name):
            self.client.delete_object(Bucket=self.bucket, Key=self._key(name))

    def local_path(self, name: str) -> Path:
        """Download a version into the cache once, and return its path; use `held_path` to prevent its removal."""
        with self._readable_errors(name):
            known = self._head(name)
            if known is None:
                self.client.head_bucket(Bucket=self.bucket)  # a HEAD of an object has 404 for a missing bucket, too
                raise StorageError(f"{self.uri}/{name} is not there.")
            copies = self._copies()
            copy = copies.path(f"{self.uri}/{name}", known["ETag"])
            if not copies.mark_used(copy):
                copies.make_room(known["ContentLength"])
                self._download(name, copy)
        return copy

    @contextmanager
    def held_path(self, name: str) -> Iterator[Path]:
        """Yield the path of a cached copy, which is not removed before the context ends."""
        copies = self._copies()
        while True:
            copy = self.local_path(name)
            with copies.held(copy) as is_there:
                if is_there:
                    yield copy
                    break
        copies.make_room()  # the copy in use may have exceeded the limit

    def forget_copies(self, name: str) -> int:
        """Remove the unused copies of an object in this machine's cache, and return their number."""
        with self._readable_errors(name):
            return self._copies().forget(f"{self.uri}/{name}")

    def _ask(self, act: Callable[["S3Client"], Answer]) -> Answer:
        """Do something with the client; once more, and from then on, without checksums if the server refuses these."""
        try:
            return act(self.client)
        except (ClientError, S3UploadFailedError) as error:
            if not may_refuse_checksums(self.client, error):
                raise
            try:
                answer = act(plain(self.client))
            except (ClientError, S3UploadFailedError):
                raise error from None
            note_refused(self.client)
            self.client = plain(self.client)
            return answer

    def _download(self, name: str, copy: Path) -> None:
        unfinished = copy.with_name(f"{copy.name}.{uuid.uuid4().hex[:8]}{UNFINISHED}")
        try:
            self._ask(lambda client: client.download_file(self.bucket, self._key(name), str(unfinished)))
            unfinished.replace(copy)
        finally:
            unfinished.unlink(missing_ok=True)

    def _head(self, name: str) -> "HeadObjectOutputTypeDef | None":
        """Return the answer to a HEAD request for an object, or None if there is no such object."""
        with self._readable_errors(name):
            try:
                return self.client.head_object(Bucket=self.bucket, Key=self._key(name))
            except ClientError as error:
                if error.response["Error"]["Code"] in NOT_FOUND:
                    return None
                raise

    def _copies(self) -> Copies:
        return Copies(settings().cache_dir, settings().cache_limit_bytes)

    def cached_path(self, name: str, tag: str) -> Path:
        """Return the cache path of a version of a model's file, before it is linked into the model's folder."""
        key = hashlib.sha256(f"{self.uri}/{name}\n{tag}".encode()).hexdigest()
        return settings().cache_dir / EARLIER / key[:2] / f"{key[2:34]}{PurePosixPath(name).suffix}"

    def check_writable(self) -> None:
        """Upload and remove a small object."""
        self.put(PROBE, b"")
        self.delete(PROBE)

    def _key(self, name: str) -> str:
        # In a whole bucket each key is inside, and `..` and a leading slash are letters like others.
        if self.prefix and (".." in PurePosixPath(name).parts or name.startswith("/")):
            raise StorageError(f"{name!r} leads out of {self.uri}; names are relative and never go up.")
        return self.prefix + name

    def _readable_errors(self, name: str) -> AbstractContextManager[None]:
        return readable_errors(f"{self.uri}/{name}".rstrip("/"), self.client.meta.endpoint_url)


def _upload(client: "S3Client", bucket: str, key: str, data: bytes | Path) -> None:
    if isinstance(data, Path):
        client.upload_file(str(data), bucket, key, ExtraArgs={"ContentType": content_type(key)})
    else:
        client.put_object(Bucket=bucket, Key=key, Body=data, ContentType=content_type(key))
