"""Storage of results: one interface over `file:///folder` and `s3://bucket/prefix`."""

import os
import re
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Protocol
from urllib.parse import quote, unquote_to_bytes

from pipeline.errors import StorageError
from pipeline.types.text import well_formed

S3 = "s3://"
_LOCAL = re.compile(r"file:(?://(?:localhost)?(?=/|$)|(?!//))(/.*)?", re.DOTALL | re.IGNORECASE)
"""A local file or folder as of RFC 8089; what looks like a query or a fragment belongs to its name."""
CONTENT_TYPES = {
    ".json": "application/json",
    ".txt": "text/plain; charset=utf-8",
    ".srt": "application/x-subrip",
    ".vtt": "text/vtt",
    ".tsv": "text/tab-separated-values; charset=utf-8",
    ".html": "text/html; charset=utf-8",
    ".md": "text/markdown; charset=utf-8",
}


class Storage(Protocol):
    """A store of objects by name; a name is a relative path with `/` between its parts.

    Each method raises `StorageError` if storage rejects the request, and `TransientError` if a retry is likely to work.
    """

    uri: str
    """Address of the store, without a trailing slash."""

    def put(self, name: str, data: bytes | Path) -> None:
        """Write an object atomically, replacing an older one."""
        ...

    def get(self, name: str) -> bytes:
        """Return an object's bytes."""
        ...

    def exists(self, name: str) -> bool:
        """Return whether the object exists."""
        ...

    def tag(self, name: str) -> str | None:
        """Return a tag that changes with the object's bytes, or None if there is no such object."""
        ...

    def folders(self) -> list[str]:
        """Return the names of the immediate subfolders, sorted."""
        ...

    def list(self, prefix: str = "") -> list[str]:
        """Return the names that begin with a prefix, sorted."""
        ...

    def delete(self, name: str) -> None:
        """Remove an object; a missing one is no error."""
        ...

    def local_path(self, name: str) -> Path:
        """Return the path of a local file with the object's bytes; it must not be written to."""
        ...

    def held_path(self, name: str) -> AbstractContextManager[Path]:
        """Yield the path of a local file with the object's bytes, which stays until the context ends."""
        ...

    def forget_copies(self, name: str) -> int:
        """Remove this machine's unused copies of the object, and return their number."""
        ...

    def check_writable(self) -> None:
        """Write and remove a small object, so that an error is raised before the work is done."""
        ...


def open_storage(uri: str) -> Storage:
    """Return the storage at a URI.

    Raises:
        StorageError: Duet does not support this kind of URI.
    """
    if is_local(uri):
        from pipeline.storage.file import FileStorage

        return FileStorage(path_of(uri))
    bucket, prefix = bucket_and_key(uri)
    if bucket:
        from pipeline.storage.s3 import S3Storage

        return S3Storage(bucket, prefix.rstrip("/"))
    raise StorageError(f"{uri!r} is no place Duet can write to; use a folder, file:///folder or s3://bucket/prefix.")


def open_object(uri: str) -> tuple[Storage, str]:
    """Return the storage and the name there of one file or object; an object's key is kept byte for byte.

    Raises:
        StorageError: Duet does not support this kind of URI.
    """
    bucket, key = bucket_and_key(uri)
    if bucket:
        return open_storage(f"s3://{bucket}"), key
    folder, _, name = uri.rpartition("/")
    return open_storage(folder), os.fsdecode(unquote_to_bytes(name))


def bucket_and_key(uri: str) -> tuple[str, str]:
    """Return the bucket and the key, or prefix, of an `s3:` URI as they are; two empty strings for another URI.

    A key may have any letters, such as `#`, `?`, `%20` and a slash at its beginning.
    """
    bucket, _, key = uri[len(S3) :].partition("/") if uri.startswith(S3) else ("", "", "")
    return bucket, key


def is_local(uri: str) -> bool:
    """Return whether a URI is the address of a local file or folder."""
    return bool(_LOCAL.fullmatch(uri))


def as_uri(place: str | Path) -> str:
    """Return a folder's path or a URI as a URI without a trailing slash.

    Raises:
        StorageError: it is empty, which would mean the working directory.
    """
    text = str(place)
    if not text.strip():
        raise StorageError("The name of the place is empty; name a folder, file:///folder or s3://bucket/prefix.")
    scheme, separator, rest = text.partition("://")
    if separator and not is_local(text):
        return f"{scheme.strip().lower()}://{rest.rstrip('/')}"
    return (path_of(text) if is_local(text) else expanded(text)).absolute().as_uri().rstrip("/")


def expanded(path: str) -> Path:
    """Return a path with a user's home folder in place of `~`; an unknown user's `~name` is a file's name."""
    return Path(os.path.expanduser(path))  # noqa: PTH111


def for_people(uri: str) -> str:
    """Return a local folder's URI as its path, and any other URI as it is."""
    return well_formed(str(path_of(uri))) if is_local(uri) else uri


def path_of(uri: str) -> Path:
    """Return the path of a `file:` URI, byte for byte: file names need not be UTF-8, and may contain `#` and `?`."""
    local = _LOCAL.fullmatch(uri)
    path = (local[1] or "/") if local else uri.partition("://")[2]
    return Path(os.fsdecode(unquote_to_bytes(os.fsencode(path))))


def join(uri: str, *names: str) -> str:
    """Return a URI with names appended; they are quoted in a `file:` URI and unchanged in an S3 key."""
    quoted = [quote(os.fsencode(name)) if is_local(uri) else well_formed(name) for name in names]
    return "/".join([uri.rstrip("/"), *quoted])


def content_type(name: str) -> str:
    """Return the media type of an object by its extension."""
    return CONTENT_TYPES.get(Path(name).suffix.lower(), "application/octet-stream")
