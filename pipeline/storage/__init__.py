"""Storage of results: one small interface over `file:///folder` and `s3://bucket/prefix`."""

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
    """A place that holds objects by name; a name is a relative path with `/` between its parts.

    Each method raises `StorageError` when storage refuses and `TransientError` when it is likely to work
    a little later.
    """

    uri: str
    """Where this is, without a slash at its end."""

    def put(self, name: str, data: bytes | Path) -> None:
        """Write an object, all of it or nothing, in place of an older one."""
        ...

    def get(self, name: str) -> bytes:
        """Return an object's bytes."""
        ...

    def exists(self, name: str) -> bool:
        """Return whether there is such an object."""
        ...

    def tag(self, name: str) -> str | None:
        """Return a tag that changes with the object's bytes; None when there is no such object."""
        ...

    def folders(self) -> list[str]:
        """Return the names of the folders right below, sorted."""
        ...

    def list(self, prefix: str = "") -> list[str]:
        """Return the names that begin with a prefix, sorted."""
        ...

    def delete(self, name: str) -> None:
        """Remove an object; it is no error when there is none."""
        ...

    def local_path(self, name: str) -> Path:
        """Return the path of a file on this machine that holds the object; not to be written to."""
        ...

    def held_path(self, name: str) -> AbstractContextManager[Path]:
        """Yield the path of a file on this machine that holds the object and stays until the context ends."""
        ...

    def forget_copies(self, name: str) -> int:
        """Remove this machine's copies of the object that nobody uses, and return how many those were."""
        ...

    def check_writable(self) -> None:
        """Write and remove a small object, so that trouble shows before the work is done."""
        ...


def open_storage(uri: str) -> Storage:
    """Return the storage at a URI.

    Raises:
        StorageError: the URI is of no kind that Duet knows.
    """
    parts = urlsplit(uri)
    if parts.scheme == "file" and parts.netloc in ("", "localhost"):
        from pipeline.storage.file import FileStorage

        return FileStorage(path_of(uri))
    if uri.startswith("s3://"):
        from pipeline.storage.s3 import S3Storage

        # A key may hold what ends the path of other URIs, such as # and ?.
        bucket, _, prefix = uri.removeprefix("s3://").partition("/")
        if bucket:
            return S3Storage(bucket, prefix.strip("/"))
    raise StorageError(f"{uri!r} is no place Duet can write to; use a folder, file:///folder or s3://bucket/prefix.")


def as_uri(place: str | Path) -> str:
    """Return a folder's path or a URI as a URI without a slash at its end.

    Raises:
        StorageError: it is empty: that would be the folder which the process happens to be in.
    """
    text = str(place)
    if not text.strip():
        raise StorageError("The name of the place is empty; name a folder, file:///folder or s3://bucket/prefix.")
    if "://" in text:
        return text.rstrip("/")
    return Path(text).expanduser().absolute().as_uri().rstrip("/")


def path_of(uri: str) -> Path:
    """Return the path that a `file:` URI names, byte for byte: names of files need not be UTF-8."""
    return Path(os.fsdecode(unquote_to_bytes(os.fsencode(urlsplit(uri).path))))


def join(uri: str, *names: str) -> str:
    """Return the URI of something below a URI, whatever characters the names have; S3's keys stand as they are."""
    quoted = [quote(os.fsencode(name)) for name in names] if uri.startswith("file:") else names
    return "/".join([uri.rstrip("/"), *quoted])


def content_type(name: str) -> str:
    """Return the media type of an object by its ending."""
    return CONTENT_TYPES.get(Path(name).suffix.lower(), "application/octet-stream")
