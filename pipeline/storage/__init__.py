"""Storage of results: one interface over `file:///folder` and `s3://bucket/prefix`."""

import os
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Protocol
from urllib.parse import quote, unquote_to_bytes, urlsplit

from pipeline.errors import StorageError

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
    parts = urlsplit(uri)
    if parts.scheme == "file" and parts.netloc in ("", "localhost"):
        from pipeline.storage.file import FileStorage

        return FileStorage(path_of(uri))
    if uri.startswith("s3://"):
        from pipeline.storage.s3 import S3Storage

        # Keys may contain # and ?, which end the path of other URIs.
        bucket, _, prefix = uri.removeprefix("s3://").partition("/")
        if bucket:
            return S3Storage(bucket, prefix.strip("/"))
    raise StorageError(f"{uri!r} is no place Duet can write to; use a folder, file:///folder or s3://bucket/prefix.")


def as_uri(place: str | Path) -> str:
    """Return a folder's path or a URI as a URI without a trailing slash.

    Raises:
        StorageError: it is empty, which would mean the working directory.
    """
    text = str(place)
    if not text.strip():
        raise StorageError("The name of the place is empty; name a folder, file:///folder or s3://bucket/prefix.")
    if "://" in text:
        return text.rstrip("/")
    return Path(text).expanduser().absolute().as_uri().rstrip("/")


def path_of(uri: str) -> Path:
    """Return the path of a `file:` URI, byte for byte: file names need not be UTF-8."""
    return Path(os.fsdecode(unquote_to_bytes(os.fsencode(urlsplit(uri).path))))


def join(uri: str, *names: str) -> str:
    """Return a URI with names appended; they are quoted in a `file:` URI and unchanged in an S3 key."""
    quoted = [quote(os.fsencode(name)) for name in names] if uri.startswith("file:") else names
    return "/".join([uri.rstrip("/"), *quoted])


def content_type(name: str) -> str:
    """Return the media type of an object by its extension."""
    return CONTENT_TYPES.get(Path(name).suffix.lower(), "application/octet-stream")
