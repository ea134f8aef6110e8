"""A computation on a card that is recorded once and then replayed: one launch in place of hundreds.

A decoding step is many small kernels, each of which has to be launched. See "CUDA Graphs" in PyTorch's
notes: https://docs.pytorch.org/docs/stable/notes/cuda.html#cuda-graphs
"""

import logging
from collections.abc import Callable

import torch
from torch import Tensor

from workers.memory.batch_limit import is_out_of_memory

logger = logging.getLogger(__name__)
WARM_UP = 3
"""Calls before the recording, for libraries that set themselves up when they are first used."""


class Graph:
    """A function without arguments, whose tensors are the same ones every time, on a CUDA device.

    What it returned is overwritten by the next call.
    """

    can_record = True
    """Whether recording has worked so far in this process."""

    def __init__(self, function: Callable[[], Tensor]) -> None:
        self._function = function
        self._stream = torch.cuda.Stream()  # type: ignore[no-untyped-call]
        self._calls = 0
        self._recorded: tuple[torch.cuda.CUDAGraph, Tensor] | None = None

    def __call__(self) -> Tensor:
        """Return what the function returns, by the recording once there is one."""
        self._calls += 1
        if self._recorded is None and self._calls > WARM_UP and Graph.can_record:
            self._recorded = self._record()
        if self._recorded is None:
            return self._aside()
        graph, result = self._recorded
        graph.replay()
        return result

    def _aside(self) -> Tensor:
        """Run the function on the stream that it will be recorded on, where its libraries set themselves up."""
        self._stream.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(self._stream):
            result = self._function()
        torch.cuda.current_stream().wait_stream(self._stream)
        return result

    def _record(self) -> tuple[torch.cuda.CUDAGraph, Tensor] | None:
        graph = torch.cuda.CUDAGraph()
        try:
            # Another thread of this process may be allocating meanwhile; that is none of the recording's concern.
            with torch.cuda.graph(graph, stream=self._stream, capture_error_mode="thread_local"):
                result = self._function()
        except RuntimeError as error:
            if is_out_of_memory(error):
                raise  # a smaller batch can be recorded
            Graph.can_record = False
            logger.warning("CUDA cannot record decoding steps (%s); they are launched one by one.", error)
            return None
        return graph, result
