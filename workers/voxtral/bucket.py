"""Voxtral's files from a bucket: downloaded once, into a folder that is whole or not there."""

import re
import shutil
import uuid
from fnmatch import fnmatch
from hashlib import sha256
from pathlib import Path

from pipeline.errors import StorageError, WeightsError
from pipeline.settings import settings
from pipeline.storage import open_storage
from workers.voxtral import digests


def download(uri: str, patterns: tuple[str, ...]) -> Path:
    """Return the local folder of a model at `s3://bucket/prefix`; the bucket is asked only the first time.

    So a model that changes needs a new prefix. Files that arrived before an interruption are not
    fetched again.

    Raises:
        StorageError: the bucket refuses, or has no such files.
        TransientError: the bucket cannot be reached.
        WeightsError: a file is not what the bucket's SHA256SUMS says, or there is no room for it.
    """
    uri = uri.rstrip("/")
    name = re.sub(r"[^\w.-]+", "-", uri.removeprefix("s3://"))[-60:]
    folder = settings().cache_dir / "voxtral" / f"{name}-{sha256(uri.encode()).hexdigest()[:16]}"
    if folder.is_dir():
        return folder
    unfinished = folder.with_name(f"{folder.name}.{uuid.uuid4().hex[:8]}.part")
    try:
        unfinished.mkdir(parents=True)
        _fill(unfinished, uri, (*patterns, digests.LIST))
        _rename(unfinished, folder)
    except OSError as error:
        raise WeightsError(
            f"{uri} cannot be kept in {folder.parent} ({error.strerror or error}); free some space there or set "
            "DUET_CACHE_DIR to another folder."
        ) from None
    finally:
        shutil.rmtree(unfinished, ignore_errors=True)
    return folder


def _fill(folder: Path, uri: str, patterns: tuple[str, ...]) -> None:
    storage = open_storage(uri)
    names = [name for name in storage.list() if any(fnmatch(name, one) for one in patterns) and "/" not in name]
    if not set(names) - {digests.LIST}:
        raise StorageError(f"{uri} has none of Voxtral's files; point DUET_VOXTRAL_MODEL at their prefix.")
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
                f"{uri}/{damaged[0]} is damaged (its SHA-256 is not the one in {digests.LIST}); upload it again."
            )


def _rename(unfinished: Path, folder: Path) -> None:
    try:
        unfinished.replace(folder)
    except OSError:
        if not folder.is_dir():  # another process was first, with the same files
            raise
