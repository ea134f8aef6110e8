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
    if kind == "int8":
        return _Int8(weight, bias, gelu)
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


class _Int8:
    """8-bit weights, a scale for each output; 8-bit activations, a scale for each row.

    The operator scales a whole batch by its largest value, so that a window's result would hang on
    its neighbours. Every row is therefore scaled to [-1, 1] before, and a row that spans it is added:
    the operator then always finds the same scale.
    """

    def __init__(self, weight: Tensor, bias: Tensor | None, gelu: bool) -> None:
        weight = weight.float()
        scales = (weight.abs().amax(dim=1) / 127).clamp_min(1e-8).double()
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # the quantisers' successor is a separate package
            quantized = torch.quantize_per_channel(
                weight, scales, torch.zeros(len(weight), dtype=torch.long), 0, torch.qint8
            )
            self.packed = torch.ops.quantized.linear_prepack(quantized, None)
        self.bias = None if bias is None else bias.float()
        self.gelu = gelu
        # Without VNNI the CPU adds pairs of products in 16 bits; with 8-bit activations they overflow.
        self.narrow = not torch.cpu._is_vnni_supported()
        self.span = torch.zeros(1, weight.shape[1])
        self.span[0, 0], self.span[0, 1] = -1.0, 1.0

    def __call__(self, x: Tensor) -> Tensor:
        rows = x.reshape(-1, x.shape[-1]).float()
        scales = rows.abs().amax(dim=1, keepdim=True).clamp_min(1e-12)
        scaled = torch.cat([rows / scales, self.span])
        y: Tensor = torch.ops.quantized.linear_dynamic(scaled, self.packed, self.narrow)[:-1]
        y = y * scales if self.bias is None else torch.addcmul(self.bias, y, scales)
        y = F.gelu(y) if self.gelu else y
        return y.view(*x.shape[:-1], -1).to(x.dtype)
