"""The folders and prefixes that jobs may read from and write to (DUET_ALLOWED_ROOTS)."""

from pathlib import Path
from posixpath import normpath
from urllib.parse import unquote

from pipeline.errors import StorageError
from pipeline.settings import settings
from pipeline.storage import S3, as_uri, bucket_and_key, is_local, path_of

ELSEWHERE = "name one that is inside, or add this one to DUET_ALLOWED_ROOTS"


def check_destination(uri: str) -> None:
    """Check that results may be written to a URI.

    Raises:
        StorageError: it is outside of every allowed root, or Duet does not support this kind of URI.
    """
    if not is_place(uri) or (uri.startswith(S3) and {".", ".."} & set(uri.split("/"))):
        raise StorageError(
            f"{uri!r} is no place Duet can write to; use a folder, file:///folder or s3://bucket/prefix."
        )
    if not is_inside_a_root(uri):
        raise StorageError(f"{uri} is outside of the places that jobs may write to; {ELSEWHERE}.")


def is_place(uri: str) -> bool:
    """Return whether a URI is the address of a local folder or file, or of a bucket or object."""
    return "\0" not in unquote(uri) if is_local(uri) else bool(bucket_and_key(uri)[0]) and "\0" not in uri


def is_inside_a_root(uri: str) -> bool:
    """Return whether a URI is inside of one of the allowed roots, or none are set."""
    roots = settings().allowed_roots
    return not roots or any(_is_inside(uri, root) for root in roots)


def _is_inside(uri: str, root: str) -> bool:
    if uri.startswith(S3) or root.startswith(S3):
        # `..` is part of a key in S3; some servers take it for a path, so neither reading of it may lead outside.
        pairs = ((uri, root), (_walked(uri), _walked(root)))
        return all(f"{it.rstrip('/')}/".startswith(f"{outer.rstrip('/')}/") for it, outer in pairs)
    # Resolved, so that a link or `..` inside of a root cannot lead outside.
    return _path(uri).resolve().is_relative_to(_path(root).resolve())


def _walked(uri: str) -> str:
    bucket, key = bucket_and_key(uri)
    return f"{S3}{bucket}{normpath(f'/{key}').replace('//', '/')}"


def _path(place: str) -> Path:
    return path_of(as_uri(place))
