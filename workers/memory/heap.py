"""Release of free memory that the C library's heap keeps."""

import ctypes
from collections.abc import Callable


def _trim() -> Callable[[int], int] | None:
    try:
        return ctypes.CDLL(None).malloc_trim
    except (AttributeError, OSError, TypeError):  # musl, macOS and Windows have none
        return None


_TRIM = _trim()


def release_free_pages() -> None:
    """Give the system back the pages that no allocation uses; where the C library is not glibc, do nothing.

    Tensors of ever new sizes leave gaps that none of the next ones fits, and glibc gives back only what lies at a
    heap's end: https://man7.org/linux/man-pages/man3/malloc_trim.3.html
    """
    if _TRIM is not None:
        _TRIM(0)
