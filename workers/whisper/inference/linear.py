"""Matrix products with fixed weights, prepared once for the way the device multiplies fastest."""

import warnings
from collections.abc import Callable, Sequence

import torch
import torch.nn.functional as F  # noqa: N812
from torch import Tensor, nn

from workers.precision import Kind

Linear = Callable[[Tensor], Tensor]
"""Maps (..., in) to (..., out) in the dtype that came in."""
FEW_ROWS = 32
"""Up to here a product waits for its weights, and not for its arithmetic."""


def prepare(weight: Tensor, bias: Tensor | None, kind: Kind, *, rows: int, gelu: bool = False) -> Linear:
    """Return a function that applies a linear layer, and GELU after it where asked.

    Args:
        weight: shape (out, in).
        bias: shape (out,), or None.
        kind: the arithmetic.
        rows: how many rows come at once, roughly: the packed layout is tuned to it.
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
    """Return weight and bias of one layer that does the work of several on the same input."""
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
    """Whether every weight is a float16, as in the checkpoints that OpenAI published, and can be kept as one."""
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
    """oneDNN's blocked layout: the weights are laid out once and not again on every call."""

    def __init__(self, weight: Tensor, bias: Tensor | None, rows: int, gelu: bool) -> None:
        self.weight = torch.ops.mkldnn._reorder_linear_weight(weight, rows)
        self.bias, self.gelu = bias, gelu

    def __call__(self, x: Tensor) -> Tensor:
        y: Tensor = torch.ops.mkldnn._linear_pointwise(x, self.weight, self.bias, "none", [], "")
        # GELU fused into the product is slower than on its own where there is no AVX-512.
        return F.gelu(y) if self.gelu else y


class _Half:
    """Weights kept in the 16 bits they were published in, float32 arithmetic: half of the memory's traffic."""

    def __init__(self, weight: Tensor, bias: Tensor | None, gelu: bool) -> None:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # the quantisers' successor is a separate package
            self.packed = torch.ops.quantized.linear_prepack_fp16(
                weight.float(), None if bias is None else bias.float()
            )
        self.gelu = gelu

    def __call__(self, x: Tensor) -> Tensor:
        y: Tensor = torch.ops.quantized.linear_dynamic_fp16(x, self.packed)
        return F.gelu(y) if self.gelu else y
