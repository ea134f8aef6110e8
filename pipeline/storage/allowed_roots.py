"""The folders and prefixes that jobs may read from and write to (DUET_ALLOWED_ROOTS)."""

from pathlib import Path
from urllib.parse import unquote, urlsplit

from pipeline.errors import StorageError
from pipeline.settings import settings
from pipeline.storage import path_of

ELSEWHERE = "name one that is inside, or add this one to DUET_ALLOWED_ROOTS"


def check_destination(uri: str) -> None:
    """Check that results may be written to a URI.

    Raises:
        StorageError: it is outside of every allowed root, or Duet does not support this kind of URI.
    """
    if not is_place(uri):
        raise StorageError(
            f"{uri!r} is no place Duet can write to; use a folder, file:///folder or s3://bucket/prefix."
        )
    if not is_inside_a_root(uri):
        raise StorageError(f"{uri} is outside of the places that jobs may write to; {ELSEWHERE}.")


def is_place(uri: str) -> bool:
    """Return whether a URI is the address of a local folder or file, or of a bucket or object."""
    if uri.startswith("s3://"):
        bucket, _, key = uri.removeprefix("s3://").partition("/")
        return bool(bucket) and not {".", ".."} & set(key.split("/")) and "\0" not in uri
    parts = urlsplit(uri)
    path = unquote(parts.path)
    is_local = parts.scheme == "file" and parts.netloc in ("", "localhost")
    return is_local and path.startswith("/") and "\0" not in path


def is_inside_a_root(uri: str) -> bool:
    """Return whether a URI is inside of one of the allowed roots, or none are set."""
    roots = settings().allowed_roots
    return not roots or any(_is_inside(uri, root) for root in roots)


def _is_inside(uri: str, root: str) -> bool:
    if uri.startswith("s3://") or root.startswith("s3://"):
        return f"{uri.rstrip('/')}/".startswith(f"{root.rstrip('/')}/")
    # Resolved, so that a link or `..` inside of a root cannot lead outside.
    return _path(uri).resolve().is_relative_to(_path(root).resolve())


def _path(place: str) -> Path:
    return path_of(place) if place.startswith("file:") else Path(place).expanduser()
