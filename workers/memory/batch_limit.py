"""The batch limit of a process, which is halved when memory runs out."""

import logging

import torch

from pipeline.errors import DeviceMemoryError
from workers.device import GIB, uses_cuda
from workers.memory.pressure import MOST_IN_A_ROW

logger = logging.getLogger(__name__)
_SIGNS = ("out of memory", "can't allocate memory", "ALLOC_FAILED")
"""Messages of other errors than OutOfMemoryError: the CPU's allocator, and libraries that allocate workspaces."""


class BatchLimit:
    """The maximum batch size of this process, permanently reduced when memory runs out."""

    def __init__(self, size: int) -> None:
        self.size = size
        self._in_a_row = 0

    def reset_failures(self) -> None:
        """Reset the count of consecutive failures after a successful batch."""
        self._in_a_row = 0

    def halve(self, count: int, what: str) -> int:
        """Return half of the failed batch's size, which is also the maximum size from now on.

        Must be called outside of the `except` block, because the error's traceback references the failed tensors.

        Raises:
            DeviceMemoryError: this is the second failure in a row, or the batch cannot be halved.
        """
        self._in_a_row += 1
        figures = _figures()  # before memory is released
        if uses_cuda():
            torch.cuda.empty_cache()
        logger.warning("Memory ran out over %d %s%s.", count, what, figures)
        if count < 2 or self._in_a_row >= MOST_IN_A_ROW:
            self._in_a_row = 0
            raise DeviceMemoryError(f"The device has no memory for {count} {what} at once{figures}")
        self.size = min(self.size, count // 2)
        return count // 2


def is_out_of_memory(error: RuntimeError) -> bool:
    """Return whether an error reports that memory ran out."""
    return isinstance(error, torch.OutOfMemoryError) or any(sign in str(error) for sign in _SIGNS)


def _figures() -> str:
    if not uses_cuda():
        return ""
    free, total = torch.cuda.mem_get_info()
    reserved = torch.cuda.memory_reserved()
    return f" (it holds {reserved / GIB:.1f} GiB; {free / GIB:.1f} of the device's {total / GIB:.1f} GiB are free)"
