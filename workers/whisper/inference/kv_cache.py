"""The KV cache of the decoder: self-attention of earlier tokens, cross-attention of the audio."""

from collections.abc import Sequence
from typing import Protocol

import numba
import numpy as np
import torch
from torch import Tensor

from workers.precision import CacheKind
from workers.whisper.inference import kernels


class Cache(Protocol):
    """Keys and values of one layer for a batch of windows, preallocated."""

    def store(self, row: int, start: int, keys: Tensor, values: Tensor) -> None:
        """Store keys and values, each (heads, n, depth), of a window from position `start` on."""
        ...

    def append(self, rows: Sequence[int], position: int, keys: Tensor, values: Tensor) -> None:
        """Append keys and values of one position, each (n, heads, depth), to the windows `rows`."""
        ...

    def attend(self, query: Tensor, rows: Sequence[int], lengths: Sequence[int]) -> Tensor:
        """Return the attention of one query per row, shape (n, heads, depth), in the query's dtype."""
        ...

    def read(self, row: int, length: int) -> tuple[Tensor, Tensor]:
        """Return keys and values of a window, each (heads, length, depth), in a float dtype."""
        ...

    def copy(self, targets: Sequence[int], sources: Sequence[int], length: int) -> None:
        """Copy the first `length` positions of the rows `sources` to the rows `targets`."""
        ...


def make(kind: CacheKind, rows: int, heads: int, positions: int, depth: int, device: torch.device) -> Cache:
    """Return an empty cache of one layer."""
    if device.type == "cpu" and kind in ("fp32", "int8"):
        return KernelCache(kind, rows, heads, positions, depth)
    dtype = {"fp32": torch.float32, "bf16": torch.bfloat16, "fp16": torch.float16}.get(kind, torch.float32)
    return TensorCache(dtype, rows, heads, positions, depth, device)


class KernelCache:
    """A CPU cache for `kernels.attend`; 8-bit entries have one scale per head and position."""

    def __init__(self, kind: CacheKind, rows: int, heads: int, positions: int, depth: int) -> None:
        dtype = torch.int8 if kind == "int8" else torch.float32
        self.data = torch.empty(2, rows, heads, positions, depth, dtype=dtype)
        self.scales = torch.ones(2, rows, heads, positions)

    def store(self, row: int, start: int, keys: Tensor, values: Tensor) -> None:
        """See `Cache.store`."""
        both = torch.stack([keys, values]).float()
        places = slice(start, start + keys.shape[1])
        if self.data.dtype == torch.int8:
            scales = (both.abs().amax(dim=-1) / 127).clamp_min(1e-12)
            self.scales[:, row, :, places] = scales
            both = (both / scales[..., None]).round_()
        self.data[:, row, :, places] = both.to(self.data.dtype)

    def append(self, rows: Sequence[int], position: int, keys: Tensor, values: Tensor) -> None:
        """See `Cache.append`."""
        both = torch.stack([keys, values]).float()
        if self.data.dtype == torch.int8:
            scales = (both.abs().amax(dim=-1) / 127).clamp_min(1e-12)
            self.scales[:, rows, :, position] = scales
            both = (both / scales[..., None]).round_()
        self.data[:, rows, :, position] = both.to(self.data.dtype)

    def attend(self, query: Tensor, rows: Sequence[int], lengths: Sequence[int]) -> Tensor:
        """See `Cache.attend`."""
        out = torch.empty(query.shape, dtype=torch.float32)
        scaled = (query.float() * query.shape[-1] ** -0.5).contiguous()
        data, scales = self.data.numpy(), self.scales.numpy()
        most: int = numba.config.NUMBA_NUM_THREADS  # type: ignore[attr-defined]
        numba.set_num_threads(min(torch.get_num_threads(), most))
        kernels.attend(
            scaled.numpy(), data[0], scales[0], data[1], scales[1],
            np.asarray(rows, np.int64), np.asarray(lengths, np.int64), out.numpy(),
        )  # fmt: skip
        return out.to(query.dtype)

    def read(self, row: int, length: int) -> tuple[Tensor, Tensor]:
        """See `Cache.read`."""
        both = self.data[:, row, :, :length].float() * self.scales[:, row, :, :length, None]
        return both[0], both[1]

    def copy(self, targets: Sequence[int], sources: Sequence[int], length: int) -> None:
        """See `Cache.copy`."""
        self.data[:, targets, :, :length] = self.data[:, sources, :, :length]
        self.scales[:, targets, :, :length] = self.scales[:, sources, :, :length]


class TensorCache:
    """A cache in one tensor of any device and float dtype, for PyTorch's own attention."""

    def __init__(
        self, dtype: torch.dtype, rows: int, heads: int, positions: int, depth: int, device: torch.device
    ) -> None:
        self.data = torch.zeros(2, rows, heads, positions, depth, dtype=dtype, device=device)

    def store(self, row: int, start: int, keys: Tensor, values: Tensor) -> None:
        """See `Cache.store`."""
        self.data[:, row, :, start : start + keys.shape[1]] = torch.stack([keys, values]).to(self.data.dtype)

    def append(self, rows: Sequence[int], position: int, keys: Tensor, values: Tensor) -> None:
        """See `Cache.append`."""
        self.data[:, list(rows), :, position] = torch.stack([keys, values]).to(self.data.dtype)

    def attend(self, query: Tensor, rows: Sequence[int], lengths: Sequence[int]) -> Tensor:
        """See `Cache.attend`."""
        longest = max(lengths)
        once = len(set(rows)) == len(rows)
        if once:  # queries for all rows, idle ones included, cost less than a copy of the cache
            asked = query.new_zeros(self.data.shape[1], *query.shape[1:])
            asked[list(rows)] = query
            limits = torch.full((self.data.shape[1],), longest, device=query.device)
            limits[list(rows)] = torch.tensor(lengths, device=query.device)
            keys, values = self.data[:, :, :, :longest]
        else:
            asked, limits = query, torch.tensor(lengths, device=query.device)
            keys, values = self.data[:, list(rows), :, :longest]
        mask: Tensor | None = None
        if min(lengths) < longest:
            mask = (torch.arange(longest, device=query.device) < limits[:, None])[:, None, None]
        output = torch.nn.functional.scaled_dot_product_attention(
            asked[:, :, None].to(keys.dtype), keys, values, attn_mask=mask
        )[:, :, 0].to(query.dtype)
        return output[list(rows)] if once else output

    def read(self, row: int, length: int) -> tuple[Tensor, Tensor]:
        """See `Cache.read`."""
        return self.data[0, row, :, :length], self.data[1, row, :, :length]

    def copy(self, targets: Sequence[int], sources: Sequence[int], length: int) -> None:
        """See `Cache.copy`."""
        self.data[:, list(targets), :, :length] = self.data[:, list(sources), :, :length]
