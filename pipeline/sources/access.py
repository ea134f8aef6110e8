"""Checks of where audio may be read from."""

from urllib.parse import urlsplit

from pipeline.errors import AudioError
from pipeline.sources.url_guard import check_url
from pipeline.storage.allowed_roots import ELSEWHERE, is_inside_a_root, is_place


def check_source(uri: str) -> None:
    """See that audio may be read from a URI.

    Raises:
        AudioError: it is outside of every allowed root, or of no kind that Duet reads.
        AddressError: it is a web address that may not be reached.
        TransientError: whether that address may be reached cannot be said now.
    """
    if urlsplit(uri).scheme in ("http", "https"):
        check_url(uri)
    elif not is_place(uri):
        raise AudioError(f"{uri!r} is no place Duet can read audio from; give a file or an s3:// object.")
    elif not is_inside_a_root(uri):
        raise AudioError(f"{uri} is outside of the places that jobs may read from; {ELSEWHERE}.")
