"""Whisper's audio encoder on openai-whisper's weights, without the casts and copies of its own implementation."""

from typing import Any

import torch
import torch.nn.functional as F  # noqa: N812
from torch import Tensor, nn
from whisper.model import Whisper

from workers.precision import Precision
from workers.whisper.inference.linear import fused, prepare

ROWS = 1500  # typical rows of a product: a window's positions
STRETCH = 500  # query positions whose bfloat16 scores for all keys fit a core's cache


class Norm:
    """A layer norm in a given dtype."""

    def __init__(self, norm: nn.LayerNorm, dtype: torch.dtype) -> None:
        self.weight, self.bias = norm.weight.detach().to(dtype), norm.bias.detach().to(dtype)

    def __call__(self, x: Tensor) -> Tensor:
        """Return `x`, shape (..., width), normalized over its last dimension."""
        return F.layer_norm(x, (x.shape[-1],), self.weight, self.bias, 1e-5)


def attention(q: Tensor, k: Tensor, v: Tensor) -> Tensor:
    """Return the attention of each position over all positions, shape (windows, heads, positions, depth).

    On a CPU, PyTorch's own attention is as slow in bfloat16 as in float32. Products over a stretch of one head's
    positions use the bfloat16 instructions, and the scores stay in the core's cache.
    """
    if q.device.type != "cpu" or q.dtype != torch.bfloat16:
        return F.scaled_dot_product_attention(q, k, v)
    output = torch.empty(q.shape, dtype=q.dtype)
    scaled = q * q.shape[-1] ** -0.5
    for window in range(q.shape[0]):
        for head in range(q.shape[1]):
            keys, values = k[window, head].t(), v[window, head]
            queries, outs = torch.split(scaled[window, head], STRETCH), torch.split(output[window, head], STRETCH)
            for query, out in zip(queries, outs, strict=True):
                torch.mm(torch.softmax(query @ keys, dim=-1), values, out=out)
    return output


class _Block:
    def __init__(self, block: Any, precision: Precision) -> None:
        kind, dtype = precision.encoder, precision.encoder_dtype
        attn, up, down = block.attn, block.mlp[0], block.mlp[2]
        self.attn_norm, self.mlp_norm = Norm(block.attn_ln, dtype), Norm(block.mlp_ln, dtype)
        self.qkv = prepare(*fused([attn.query, attn.key, attn.value]), kind, rows=ROWS)
        self.out = prepare(attn.out.weight.detach(), attn.out.bias.detach(), kind, rows=ROWS)
        self.up = prepare(up.weight.detach(), up.bias.detach(), kind, rows=ROWS, gelu=True)
        self.down = prepare(down.weight.detach(), down.bias.detach(), kind, rows=ROWS)
        self.heads: int = attn.n_head

    def __call__(self, x: Tensor) -> Tensor:
        batch, length, width = x.shape
        qkv = self.qkv(self.attn_norm(x)).view(batch, length, 3, self.heads, -1)
        q, k, v = qkv.permute(2, 0, 3, 1, 4)
        x = x + self.out(attention(q, k, v).transpose(1, 2).reshape(batch, length, width))
        return x + self.down(self.up(self.mlp_norm(x)))


class Encoder:
    """The audio encoder, which maps log-mel spectrograms to features."""

    def __init__(self, model: Whisper, precision: Precision) -> None:
        encoder, self.dtype = model.encoder, precision.encoder_dtype
        self.convolutions = [
            (conv.weight.detach().to(self.dtype), conv.bias.detach().to(self.dtype))
            for conv in (encoder.conv1, encoder.conv2)
        ]
        self.positions = encoder.positional_embedding.detach().to(self.dtype)
        self.blocks = [_Block(block, precision) for block in encoder.blocks]
        self.norm = Norm(encoder.ln_post, self.dtype)

    def __call__(self, mel: Tensor) -> Tensor:
        """Return the features of a batch of windows.

        Args:
            mel: shape (windows, mels, frames), float32; frames are 10 ms, even, 3000 at most.

        Returns:
            Shape (windows, frames / 2, width), in the encoder's dtype.
        """
        (weight1, bias1), (weight2, bias2) = self.convolutions
        x = F.gelu(F.conv1d(mel.to(self.dtype), weight1, bias1, padding=1))
        x = F.gelu(F.conv1d(x, weight2, bias2, stride=2, padding=1)).transpose(1, 2)
        x = (x + self.positions[: x.shape[1]]).contiguous()
        for block in self.blocks:
            x = block(x)
        return self.norm(x)
