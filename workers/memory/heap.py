"""Release of free memory in the C library's heap."""

import ctypes
from collections.abc import Callable


def _trim() -> Callable[[int], int] | None:
    try:
        return ctypes.CDLL(None).malloc_trim
    except (AttributeError, OSError, TypeError):  # musl, macOS and Windows have none
        return None


_TRIM = _trim()


def release_free_pages() -> None:
    """Return unused heap pages to the system; do nothing if the C library is not glibc.

    Tensors of varying sizes leave gaps that no later tensor fits, and glibc by itself releases only the end of a
    heap: https://man7.org/linux/man-pages/man3/malloc_trim.3.html
    """
    if _TRIM is not None:
        _TRIM(0)
