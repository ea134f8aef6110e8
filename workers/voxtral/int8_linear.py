"""Linear layers with 8-bit weights on a CPU, through oneDNN's int8 product."""

from functools import cache

import torch
from torch import Tensor, nn

from workers.memory.heap import release_free_pages

_PIECE_ROWS = 256
"""Rows of one product. More are no faster, because its float32 result then exceeds the caches, and the plan's figure
for a layer's activations has room for these."""
_WEIGHT_LEVELS = 127
_BLOCK_ROWS = 1024
"""Rows of a matrix that are quantized at once, in float32."""
_SERIAL_NUMBERS = 32_768
"""Numbers up to which torch works on one core. Waking the other for each of ten short steps costs more than it saves in
the pools, where threads do not spin while they wait."""
_TINY = 1e-30
"""Least scale: a row of zeros is divided by it."""


class Int8Linear(nn.Module):
    """A linear layer without bias whose weights have 8 bits, and one scale for each output channel.

    The rows of the input are quantized with a scale each, and twice: to 8 bits, and what these leave over to 8 bits
    once more, as a further row of the same product. Without the second, one input channel that is a hundred times
    larger than the others, as is usual in language models, leaves the others less than two bits. It is free for few
    rows, whose product waits for the weights; many rows take as long as in bfloat16.
    """

    def __init__(self, weight: Tensor) -> None:
        """Quantize a matrix of shape (out, in); no reference to it is kept."""
        super().__init__()
        codes, scales = quantized(weight)
        self.out_features, self.in_features = codes.shape
        # Attributes and no buffers: converting the model to another dtype would round the scales.
        self._codes = torch.ops.onednn.qlinear_prepack(codes, None)
        self._scales = scales
        self._zeros = torch.zeros(len(codes), dtype=torch.int32)

    def forward(self, x: Tensor) -> Tensor:
        """Return the products of shape (..., out) of an input (..., in), in its dtype."""
        result = x.new_empty(*x.shape[:-1], self.out_features)
        rows, into = x.flatten(0, -2), result.flatten(0, -2)
        for start in range(0, len(rows), _PIECE_ROWS):
            self._multiply(rows[start : start + _PIECE_ROWS], into[start : start + _PIECE_ROWS])
        return result

    @property
    def nbytes(self) -> int:
        """Bytes of the weights and their scales."""
        return self.out_features * self.in_features + self._scales.nbytes + self._zeros.nbytes

    def _multiply(self, rows: Tensor, into: Tensor) -> None:
        levels = input_levels()
        parts, scale = in_two_parts(rows, levels)
        product = torch.ops.onednn.qlinear_pointwise(
            parts, 1.0, levels + 1, self._codes, self._scales, self._zeros, None, 1.0, 0, torch.float32, "none", [], ""
        )
        coarse, fine = product.chunk(2)
        torch.mul(coarse.add_(fine, alpha=0.5 / levels), scale, out=into)


def quantized(weight: Tensor) -> tuple[Tensor, Tensor]:
    """Return the codes of a matrix in int8, of its shape, and the scale of each of its rows in float32."""
    scales = weight.abs().amax(1).float().clamp_min(_TINY) / _WEIGHT_LEVELS
    codes = torch.empty(weight.shape, dtype=torch.int8)
    for start in range(0, len(weight), _BLOCK_ROWS):
        block = slice(start, start + _BLOCK_ROWS)
        codes[block] = (weight[block].float() / scales[block].unsqueeze(1)).round_()
    return codes, scales


def in_two_parts(rows: Tensor, levels: int) -> tuple[Tensor, Tensor]:
    """Quantize each row, and the remainder of that.

    Args:
        rows: shape (rows, in).
        levels: largest absolute value of a code.

    Returns:
        The codes of all rows and then of all remainders, plus `levels` + 1, in uint8, shape (2 x rows, in); and the
        scales of the rows in float32, shape (rows, 1). A unit of a remainder's codes is 1 / (2 x `levels`) of the
        row's.
    """
    count, width = rows.shape
    parts = torch.empty(2, count, width, dtype=torch.uint8)
    scale = rows.abs().amax(1, keepdim=True).float().clamp_min_(_TINY) / levels
    block = count if rows.numel() > 8 * _SERIAL_NUMBERS else max(1, _SERIAL_NUMBERS // width)
    for start in range(0, count, block):
        part = slice(start, start + block)
        coarse, fine = parts[0, part], parts[1, part]
        scaled = (rows[part] / scale[part]).add_(levels + 1)
        coarse.copy_(scaled + 0.5)  # truncated, which is faster than rounding
        fine.copy_(scaled.sub_(coarse).mul_(2 * levels).add_(levels + 1.5))
    return parts.flatten(0, 1), scale


@cache
def input_levels() -> int:
    """Return the largest code of inputs with which this CPU's products are exact: 127, or 63 without VNNI.

    Older CPUs add two products of 8 bits in 16, which may overflow; with inputs of 7 bits none does
    (https://uxlfoundation.github.io/oneDNN/dev_guide_int8_computations.html).
    """
    large = torch.full((64, 64), 127, dtype=torch.int8)
    packed, ones = torch.ops.onednn.qlinear_prepack(large, None), torch.ones(64)
    inputs, zeros = torch.full((2, 64), 255, dtype=torch.uint8), torch.zeros(64, dtype=torch.int32)
    product = torch.ops.onednn.qlinear_pointwise(
        inputs, 1.0, 128, packed, ones, zeros, None, 1.0, 0, torch.float32, "none", [], ""
    )
    return 127 if bool((product == 64 * 127 * 127).all()) else 63


def quantize_layers(layers: nn.Module) -> None:
    """Replace each linear layer below a module by an `Int8Linear`, one after the other.

    Raises:
        ValueError: a layer has a bias.
    """
    for module in list(layers.modules()):
        for name, child in list(module.named_children()):
            if isinstance(child, nn.Linear):
                if child.bias is not None:
                    raise ValueError(f"{name} has a bias")
                setattr(module, name, Int8Linear(child.weight.detach()))
                release_free_pages()  # or the gaps between the packed weights add up to as much as these
