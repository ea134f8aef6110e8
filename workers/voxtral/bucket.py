"""Voxtral's files from a bucket: each version of them once, in a folder that is whole or not there."""

import json
import logging
import re
import shutil
import uuid
from fnmatch import fnmatch
from hashlib import sha256
from pathlib import Path

from pipeline.errors import StorageError, TransientError, WeightsError
from pipeline.settings import settings
from pipeline.storage import Storage, open_storage
from workers.voxtral import digests

logger = logging.getLogger(__name__)


def download(uri: str, patterns: tuple[str, ...]) -> Path:
    """Return the local folder of the model that lies at `s3://bucket/prefix` now.

    The objects' tags tell whether that is a version fetched before. Of another one only the files that
    changed are fetched, or did not arrive before an interruption. Where the bucket does not answer, the
    version that was used last has to do.

    Raises:
        StorageError: the bucket refuses, or has no such files.
        TransientError: the bucket cannot be reached, and no version is here.
        WeightsError: a file is not what the bucket's SHA256SUMS says, or there is no room for it.
    """
    uri = uri.rstrip("/")
    name = re.sub(r"[^\w.-]+", "-", uri.removeprefix("s3://"))[-60:]
    versions = settings().cache_dir / "voxtral" / f"{name}-{sha256(uri.encode()).hexdigest()[:16]}"
    storage = open_storage(uri)
    try:
        tags = _tags(storage, (*patterns, digests.LIST))
    except TransientError as error:
        if (last := _last_used(versions)) is None:
            raise
        logger.warning("%s The version in %s is used.", error, last)
        return last
    folder = versions / sha256(json.dumps(tags).encode()).hexdigest()[:16]
    if not folder.is_dir():
        _fetch(storage, list(tags), folder)
    folder.touch()
    return folder


def _tags(storage: Storage, patterns: tuple[str, ...]) -> dict[str, str | None]:
    names = [name for name in storage.list() if any(fnmatch(name, one) for one in patterns) and "/" not in name]
    if not set(names) - {digests.LIST}:
        raise StorageError(f"{storage.uri} has none of Voxtral's files; point DUET_VOXTRAL_MODEL at their prefix.")
    return {name: storage.tag(name) for name in names}


def _last_used(versions: Path) -> Path | None:
    whole = [folder for folder in versions.glob("*") if folder.is_dir() and folder.suffix != ".part"]
    return max(whole, key=lambda folder: folder.stat().st_mtime, default=None)


def _fetch(storage: Storage, names: list[str], folder: Path) -> None:
    unfinished = folder.with_name(f"{folder.name}.{uuid.uuid4().hex[:8]}.part")
    try:
        unfinished.mkdir(parents=True)
        _fill(unfinished, storage, names)
        _rename(unfinished, folder)
    except OSError as error:
        raise WeightsError(
            f"{storage.uri} cannot be kept in {folder.parent} ({error.strerror or error}); free some space there or "
            "set DUET_CACHE_DIR to another folder."
        ) from None
    finally:
        shutil.rmtree(unfinished, ignore_errors=True)


def _fill(folder: Path, storage: Storage, names: list[str]) -> None:
    copies = {name: storage.local_path(name) for name in names}
    for name, copy in copies.items():
        try:
            (folder / name).hardlink_to(copy)  # 9 GB need not be there twice
        except OSError:
            shutil.copyfile(copy, folder / name)
    if digests.LIST in copies:
        damaged = digests.differing(folder, digests.read(folder / digests.LIST))
        for name in damaged:
            copies[name].unlink(missing_ok=True)  # should the damage have happened on the way
        if damaged:
            raise WeightsError(
                f"{storage.uri}/{damaged[0]} is damaged (its SHA-256 is not the one in {digests.LIST}); "
                "upload it again."
            )


def _rename(unfinished: Path, folder: Path) -> None:
    try:
        unfinished.replace(folder)
    except OSError:
        if not folder.is_dir():  # another process was first, with the same files
            raise
