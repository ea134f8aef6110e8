"""Episodes in a bucket: the audio objects below a prefix."""

import hashlib
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import PurePosixPath

from pipeline.errors import AudioError, DuetError, StorageError
from pipeline.sources.access import check_source
from pipeline.sources.digest_cache import Digests
from pipeline.sources.file_types import HEAD_BYTES, has_audio_suffix, why_not_audio
from pipeline.sources.source import Found
from pipeline.sources.unfinished import why_passed_over
from pipeline.storage import S3, Storage, bucket_and_key
from pipeline.storage.s3 import S3Object, S3Storage
from pipeline.types import Episode
from pipeline.types.found import Rejected, Skipped
from pipeline.types.ids import EPISODE_HEX_DIGITS, slug

NEVER_AUDIO = frozenset([".json", ".txt", ".srt", ".vtt", ".md", ".html", ".xml", ".jpg", ".jpeg", ".png", ".pdf"])
"""Suffixes skipped by name; other objects are checked by content, which costs one request each."""


@dataclass(frozen=True)
class BucketObject:
    """Audio in a bucket, which the pools read in place."""

    storage: S3Storage
    item: S3Object

    @property
    def name(self) -> str:
        """The object's URI: the bucket and the key as it is."""
        return f"{self.storage.uri}/{self.item.name}"

    def known_episode(self, digests: Digests) -> Episode | None:
        """Return the episode if an object with this name, ETag and size has been read before."""
        check_source(self.name)
        known = digests.get(self._key)
        return self._episode(*known) if known else None

    def read(self, digests: Digests) -> Episode:
        """Return the episode; the bytes of a new object are streamed once and not stored."""
        if known := self.known_episode(digests):
            return known
        digest = hashlib.sha256()
        for block in self.storage.blocks(self.item.name):
            digest.update(block)
        episode = digest.hexdigest()[:EPISODE_HEX_DIGITS]
        digests.put(self._key, episode, self.item.size_bytes)
        return self._episode(episode, self.item.size_bytes)

    def copy_audio(self, storage: Storage, name: str) -> str:
        """Return the object's own URI."""
        return self.name

    def forget(self) -> None:
        """Do nothing, as reading an object caches no bytes."""

    @property
    def _key(self) -> str:
        endpoint = self.storage.client.meta.endpoint_url
        return f"s3 {endpoint} {self.name} {self.item.tag} {self.item.size_bytes}"

    def _episode(self, digest: str, size_bytes: int) -> Episode:
        return Episode(id=digest, source=self.name, slug=slug(self.item.name), size_bytes=size_bytes)


def bucket_episodes(uri: str) -> Iterator[Found]:
    """Yield the object at a URI, or the objects below it, page by page.

    Raises:
        AudioError: there is no such object.
        StorageError: the bucket does not exist or denies access.
    """
    bucket, prefix = bucket_and_key(S3 + uri[len(S3) :])
    if not bucket:
        raise AudioError(f"{uri!r} names no bucket; write s3://bucket/prefix.")
    whole = S3Storage(bucket)
    is_folder = not prefix or prefix.endswith("/")
    if not is_folder and (exact := _exact(whole, prefix)):
        yield BucketObject(whole, exact) if exact.size_bytes else _judged(whole, exact)
        return
    folder = prefix.removesuffix("/")
    storage = S3Storage(bucket, folder)
    found = False
    for item in storage.objects() if folder else whole.objects(prefix):
        found = True
        yield _judged(storage, item)
    if not found:
        raise AudioError(f"{uri} holds nothing; check the spelling.")


def _exact(storage: S3Storage, key: str) -> S3Object | None:
    """Return the object with a key; who may not list a bucket may still read an object, and the other way round."""
    with suppress(StorageError):
        return storage.found(key)
    # An exact match is listed before all other objects with this prefix.
    first = next(storage.objects(key), None)
    return first if first and first.name == key else None


def _judged(storage: S3Storage, item: S3Object) -> Found:
    """Return the source of an object; any error rejects this object only."""
    name = f"{storage.uri}/{item.name}"
    if item.name.endswith("/") and not item.size_bytes:
        return Skipped(name, "it is a folder")
    if reason := why_passed_over(item.name):
        return Skipped(name, reason)
    if not item.size_bytes:
        empty = f"{name} is empty (0 bytes); upload it again."
        return Rejected(name, empty) if has_audio_suffix(item.name) else Skipped(name, "it is empty")
    if has_audio_suffix(item.name):
        return BucketObject(storage, item)
    if PurePosixPath(item.name).suffix.lower() in NEVER_AUDIO:
        return Skipped(name, "it is not audio")
    try:
        reason = why_not_audio(item.name, storage.head(item.name, HEAD_BYTES))
    except DuetError as error:
        return Rejected(name, str(error))
    return Skipped(name, reason) if reason else BucketObject(storage, item)
