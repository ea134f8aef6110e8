"""Access check of audio URIs."""

from urllib.parse import urlsplit

from pipeline.errors import AudioError
from pipeline.sources.url_guard import check_url
from pipeline.storage.allowed_roots import ELSEWHERE, is_inside_a_root, is_place


def check_source(uri: str) -> None:
    """Check that audio may be read from a URI.

    Raises:
        AudioError: the URI is outside of every allowed root, or its scheme is not supported.
        AddressError: the URI is a web address that may not be connected to.
        TransientError: the host of the web address cannot be resolved at the moment.
    """
    if urlsplit(uri).scheme in ("http", "https"):
        check_url(uri)
    elif not is_place(uri):
        raise AudioError(f"{uri!r} is no place Duet can read audio from; give a file or an s3:// object.")
    elif not is_inside_a_root(uri):
        raise AudioError(f"{uri} is outside of the places that jobs may read from; {ELSEWHERE}.")
