"""A CUDA graph of a function: its kernels are recorded once and then replayed, without the launch of each.

See "CUDA Graphs" in PyTorch's notes: https://docs.pytorch.org/docs/stable/notes/cuda.html#cuda-graphs
"""

import logging
from collections.abc import Callable
from typing import ClassVar

import torch
from torch import Tensor

from workers.memory.batch_limit import is_out_of_memory

logger = logging.getLogger(__name__)
WARM_UP = 3
"""Calls before the recording, for libraries that initialize on first use."""


class Graph:
    """A CUDA graph of a function without arguments that uses the same tensors in every call.

    The result is overwritten by the next call.
    """

    can_record: ClassVar[bool] = True
    """Whether recording has worked so far in this process."""
    stream: ClassVar["torch.cuda.Stream | None"] = None
    """The stream of all recordings: cuBLAS keeps a workspace of 8 to 32 MiB for each stream that it was used on."""

    def __init__(self, function: Callable[[], Tensor]) -> None:
        self._function = function
        if Graph.stream is None:
            Graph.stream = torch.cuda.Stream()  # type: ignore[no-untyped-call]
        self._stream = Graph.stream
        self._calls = 0
        self._recorded: tuple[torch.cuda.CUDAGraph, Tensor] | None = None

    def __call__(self) -> Tensor:
        """Return the function's result, from a replay once there is a recording."""
        self._calls += 1
        if self._recorded is None and self._calls > WARM_UP and Graph.can_record:
            self._recorded = self._record()
        if self._recorded is None:
            return self._run_eagerly()
        graph, result = self._recorded
        graph.replay()
        return result

    def _run_eagerly(self) -> Tensor:
        """Run the function on the stream of the recording, so that its libraries initialize there."""
        self._stream.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(self._stream):
            result = self._function()
        torch.cuda.current_stream().wait_stream(self._stream)
        return result

    def _record(self) -> tuple[torch.cuda.CUDAGraph, Tensor] | None:
        graph = torch.cuda.CUDAGraph()
        try:
            # Other threads of this process may allocate during the recording without invalidating it.
            with torch.cuda.graph(graph, stream=self._stream, capture_error_mode="thread_local"):
                result = self._function()
        except RuntimeError as error:
            if is_out_of_memory(error):
                raise  # a smaller batch can be recorded
            Graph.can_record = False
            logger.warning("CUDA cannot record decoding steps (%s); they are launched one by one.", error)
            return None
        return graph, result
