"""Matrix products with fixed weights, prepared once in the fastest layout for the device."""

import warnings
from collections.abc import Callable, Sequence

import torch
import torch.nn.functional as F  # noqa: N812
from torch import Tensor, nn

from workers.precision import Kind

Linear = Callable[[Tensor], Tensor]
"""Function that maps (..., in) to (..., out) in the dtype of its input."""
FEW_ROWS = 32
"""Rows up to which a product is limited by reading the weights and not by arithmetic."""


def prepare(weight: Tensor, bias: Tensor | None, kind: Kind, *, rows: int, gelu: bool = False) -> Linear:
    """Return a function that applies a linear layer and optionally GELU.

    Args:
        weight: shape (out, in).
        bias: shape (out,), or None.
        kind: precision of the arithmetic.
        rows: typical number of rows per call, for which the packed layout is tuned.
        gelu: whether the exact GELU follows.
    """
    if kind == "fp32" and rows <= FEW_ROWS and _is_half(weight):
        return _Half(weight, bias, gelu)
    dtype = {"fp32": torch.float32, "bf16": torch.bfloat16, "fp16": torch.float16}[kind]
    weight = weight.to(dtype).contiguous()
    bias = None if bias is None else bias.to(dtype)
    if weight.device.type == "cpu" and _can_pack(kind):
        return _Packed(weight, bias, rows, gelu)
    return _Plain(weight, bias, gelu)


def fused(layers: Sequence[nn.Linear]) -> tuple[Tensor, Tensor]:
    """Return weight and bias of one layer that replaces several layers with the same input."""
    weights = [layer.weight.detach() for layer in layers]
    biases = [
        weight.new_zeros(len(weight)) if layer.bias is None else layer.bias.detach()
        for layer, weight in zip(layers, weights, strict=True)
    ]
    return torch.cat(weights), torch.cat(biases)


def _can_pack(kind: Kind) -> bool:
    if not torch.backends.mkldnn.is_available():  # type: ignore[no-untyped-call]
        return False
    return kind == "fp32" or (kind == "bf16" and bool(torch.ops.mkldnn._is_mkldnn_bf16_supported()))


def _is_half(weight: Tensor) -> bool:
    """Return whether the CPU can store the weights in float16 without loss, as for OpenAI's checkpoints."""
    if weight.device.type != "cpu" or "fbgemm" not in torch.backends.quantized.supported_engines:
        return False
    return bool((weight.half().float() == weight).all())


class _Plain:
    def __init__(self, weight: Tensor, bias: Tensor | None, gelu: bool) -> None:
        self.weight, self.bias, self.gelu = weight, bias, gelu

    def __call__(self, x: Tensor) -> Tensor:
        y = F.linear(x, self.weight, self.bias)
        return F.gelu(y) if self.gelu else y


class _Packed:
    """A linear layer in oneDNN's blocked layout, which is made once instead of on every call."""

    def __init__(self, weight: Tensor, bias: Tensor | None, rows: int, gelu: bool) -> None:
        self.weight = torch.ops.mkldnn._reorder_linear_weight(weight, rows)
        self.bias, self.gelu = bias, gelu

    def __call__(self, x: Tensor) -> Tensor:
        y: Tensor = torch.ops.mkldnn._linear_pointwise(x, self.weight, self.bias, "none", [], "")
        # Without AVX-512, GELU fused into the product is slower than a separate one.
        return F.gelu(y) if self.gelu else y


class _Half:
    """A linear layer with float16 weights, as published, and float32 arithmetic, which halves memory traffic."""

    def __init__(self, weight: Tensor, bias: Tensor | None, gelu: bool) -> None:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # deprecated, but the successor is a separate package
            self.packed = torch.ops.quantized.linear_prepack_fp16(
                weight.float(), None if bias is None else bias.float()
            )
        self.gelu = gelu

    def __call__(self, x: Tensor) -> Tensor:
        y: Tensor = torch.ops.quantized.linear_dynamic_fp16(x, self.packed)
        return F.gelu(y) if self.gelu else y
