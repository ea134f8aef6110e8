"""Local versions of a bucket's models: each is downloaded once into a folder that is created atomically."""

import json
import logging
import re
import shutil
import uuid
from collections.abc import Sequence
from fnmatch import fnmatch
from hashlib import sha256
from pathlib import Path

from pipeline.errors import StorageError, TransientError, WeightsError
from pipeline.storage import open_storage
from pipeline.storage.s3 import S3Object, S3Storage
from pipeline.storage.weights import checksums
from pipeline.storage.weights.resumable_download import OnBytes, fetch, ignore

logger = logging.getLogger(__name__)


def bucket_at(uri: str) -> S3Storage:
    """Return the storage at an `s3://bucket/prefix`.

    Raises:
        StorageError: the URI is not in a bucket.
    """
    storage = open_storage(uri)
    if not isinstance(storage, S3Storage):
        raise StorageError(f"{uri!r} is no place in a bucket; give an s3://bucket/prefix.")
    return storage


def download(uri: str, patterns: Sequence[str], versions: Path, on_bytes: OnBytes = ignore) -> Path:
    """Return the local folder of the current version of the model at `s3://bucket/prefix`.

    The objects' tags identify the version. For a new version only the files that changed, or that an interrupted
    download lacks, are downloaded. If the bucket does not respond, the last used version is returned.

    Args:
        uri: prefix of the model's files, which are not in subfolders.
        patterns: name patterns of the files.
        versions: local folder of all versions.
        on_bytes: called with the number of new bytes.

    Raises:
        StorageError: the bucket rejects the request, or has no such files.
        TransientError: the bucket cannot be reached, and there is no local version.
        WeightsError: a file has another checksum than in the bucket's SHA256SUMS, or there is no space for it.
    """
    uri = uri.rstrip("/")
    own = versions / _folder_name(uri)
    storage = bucket_at(uri)
    try:
        files = _list_files(storage, patterns)
    except TransientError as error:
        if (last := _last_used(own)) is None:
            raise
        logger.warning("%s The version in %s is used.", error, last)
        return last
    folder = own / sha256(json.dumps({it.name: it.tag for it in files}).encode()).hexdigest()[:16]
    if not folder.is_dir():
        _fetch(storage, files, folder, on_bytes)
    folder.touch()
    return folder


def last_used(uri: str, versions: Path) -> Path | None:
    """Return the folder of the last used version of the model at a URI, without a request to the bucket, or None."""
    return _last_used(versions / _folder_name(uri.rstrip("/")))


def _folder_name(uri: str) -> str:
    name = re.sub(r"[^\w.-]+", "-", uri.removeprefix("s3://"))[-60:]
    return f"{name}-{sha256(uri.encode()).hexdigest()[:16]}"


def _list_files(storage: S3Storage, patterns: Sequence[str]) -> list[S3Object]:
    wanted = (*patterns, checksums.LIST)
    found = [it for it in storage.objects() if any(fnmatch(it.name, one) for one in wanted) and "/" not in it.name]
    if not {it.name for it in found} - {checksums.LIST}:
        raise StorageError(f"{storage.uri} has none of the model's files ({', '.join(patterns)}); name their prefix.")
    return sorted(found, key=lambda it: it.name)


def _last_used(own: Path) -> Path | None:
    whole = [folder for folder in own.glob("*") if folder.is_dir() and folder.suffix != ".part"]
    return max(whole, key=lambda folder: folder.stat().st_mtime, default=None)


def _fetch(storage: S3Storage, files: Sequence[S3Object], folder: Path, on_bytes: OnBytes) -> None:
    unfinished = folder.with_name(f"{folder.name}.{uuid.uuid4().hex[:8]}.part")
    try:
        expected = _expected(storage, files)
        copies = _copies(storage, files, expected, on_bytes)
        unfinished.mkdir(parents=True)
        for name, copy in copies.items():
            _link(unfinished / name, copy)
        _rename(unfinished, folder)
        checksums.note_verified(folder, expected)
    except OSError as error:
        raise WeightsError(
            f"{storage.uri} cannot be kept in {folder.parent} ({error.strerror or error}); free some space there or "
            "set DUET_CACHE_DIR to another folder."
        ) from None
    finally:
        shutil.rmtree(unfinished, ignore_errors=True)


def _expected(storage: S3Storage, files: Sequence[S3Object]) -> dict[str, str]:
    if checksums.LIST not in {it.name for it in files}:
        return {}
    return checksums.parsed(storage.get(checksums.LIST).decode("utf-8", "replace"), f"{storage.uri}/{checksums.LIST}")


def _copies(
    storage: S3Storage, files: Sequence[S3Object], expected: dict[str, str], on_bytes: OnBytes
) -> dict[str, Path]:
    """Return each file's path in the cache of objects, downloaded if missing."""
    copies: dict[str, Path] = {}
    for it in files:
        copy = copies[it.name] = storage.cached_path(it.name, it.tag)
        digest = expected.get(it.name)
        if not copy.is_file():
            fetch(storage, it, copy, digest, on_bytes)
            continue
        on_bytes(it.size_bytes)
        if digest and checksums.sha256_of(copy) != digest:  # not verified if there was no list at its download
            copy.unlink(missing_ok=True)
            raise WeightsError(f"{copy} is damaged (its SHA-256 is not the one in {checksums.LIST}); start again.")
    return copies


def _link(target: Path, copy: Path) -> None:
    try:
        target.hardlink_to(copy)  # saves a second copy of 9 GB
    except OSError:
        shutil.copyfile(copy, target)


def _rename(unfinished: Path, folder: Path) -> None:
    try:
        unfinished.replace(folder)
    except OSError:
        if not folder.is_dir():  # another process was first, with the same files
            raise
