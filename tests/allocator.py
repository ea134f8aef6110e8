"""An allocator with a limit, on any device: what a card does to a process that wants more than there is."""

import weakref
from typing import Any

import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves


class Alive(TorchDispatchMode):
    """Counts the bytes of the tensors made under it while they are alive; beyond a limit there are no more."""

    def __init__(self, limit_bytes: float = float("inf")) -> None:
        super().__init__()
        self.peak_bytes = self.now_bytes = 0
        self.refused = 0
        self._limit_bytes = limit_bytes
        self._sizes: dict[int, int] = {}

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        made = func(*args, **(kwargs or {}))
        given = {it.untyped_storage()._cdata for it in tree_leaves((args, kwargs)) if isinstance(it, torch.Tensor)}
        for tensor in tree_leaves(made):
            if isinstance(tensor, torch.Tensor) and tensor.layout == torch.strided:
                self._count(tensor.untyped_storage(), given)
        return made

    def _count(self, storage: Any, given: set[int]) -> None:
        key = storage._cdata
        if key in given or key in self._sizes:
            return
        if self.now_bytes + storage.nbytes() > self._limit_bytes:
            self.refused += 1
            raise torch.OutOfMemoryError(f"Tried to allocate {storage.nbytes()} of {self._limit_bytes} bytes.")
        self._sizes[key] = storage.nbytes()
        self.now_bytes += storage.nbytes()
        self.peak_bytes = max(self.peak_bytes, self.now_bytes)
        weakref.finalize(storage, self._forget, key)

    def _forget(self, key: int) -> None:
        self.now_bytes -= self._sizes.pop(key, 0)
