"""How a text goes on, a token at a time: by whatever step the device takes fastest."""

from collections.abc import Callable, Sequence

import torch
import torch.nn.functional as F  # noqa: N812
from torch import Tensor

from workers.whisper.inference.decoder import Decoder, Memory
from workers.whisper.inference.graph import Graph
from workers.whisper.inference.kv_cache import TensorCache

Step = Callable[[Tensor, int, Sequence[int]], Tensor]
"""Takes one more token, shape (n,), of each of the memory's rows, shape (n,), that have taken in so many before;
returns logits of the next, shape (n, vocabulary), float32."""


def stepping(decoder: Decoder, memory: Memory) -> Step:
    """Return the step for a batch whose prompts have been read into its memory."""
    if decoder.device.type == "cuda":
        static = StaticStep(decoder, memory)
        return static.through(Graph(static.logits))
    return lambda tokens, position, rows: decoder.logits(decoder.step(tokens, position, rows, memory))


class StaticStep:
    """A step whose tensors never move and keep their shapes, so that it can be recorded.

    Every row of the memory takes part in every step; what a row that is done says is nobody's business.
    """

    def __init__(self, decoder: Decoder, memory: Memory) -> None:
        self.decoder, self.memory = decoder, memory
        self.rows = len(memory.lengths) * memory.copies
        self.tokens = torch.zeros(self.rows, dtype=torch.long, device=decoder.device)
        self.position = torch.zeros(1, dtype=torch.long, device=decoder.device)
        self.places = torch.arange(decoder.context, device=decoder.device)
        lengths = torch.tensor(memory.lengths, device=decoder.device)
        heard = torch.arange(max(memory.lengths), device=decoder.device) < lengths[:, None]
        self.heard = heard[:, None, None]

    def through(self, logits: Callable[[], Tensor]) -> Step:
        """Return the step that has `logits` calculated in this way."""

        def step(tokens: Tensor, position: int, rows: Sequence[int]) -> Tensor:
            chosen = torch.tensor(rows, device=self.decoder.device)
            self.tokens[chosen] = tokens
            self.position.fill_(position)
            return logits()[chosen]

        return step

    def logits(self) -> Tensor:
        """Take in `tokens` at `position`; return logits of all rows."""
        decoder, memory = self.decoder, self.memory
        heads, depth, windows = decoder.heads, decoder.depth, len(memory.lengths)
        said = (self.places <= self.position)[None, None, None]
        x = decoder.embedding[self.tokens] + decoder.positions[self.position]
        for block, text, audio in zip(decoder.blocks, memory.text, memory.audio, strict=True):
            assert isinstance(text, TensorCache)
            assert isinstance(audio, TensorCache)
            both = block.qkv(block.attn_norm(x)).view(self.rows, 3, heads, 1, depth)
            text.data.index_copy_(3, self.position, both[:, 1:].transpose(0, 1).to(text.data.dtype))
            x = x + block.out(_attention(both[:, 0], text.data, said).view(self.rows, -1))
            q = block.cross_query(block.cross_norm(x)).view(windows, memory.copies, heads, depth).transpose(1, 2)
            x = x + block.cross_out(_attention(q, audio.data, self.heard).view(self.rows, -1))
            x = x + block.down(block.up(block.mlp_norm(x)))
        return decoder.logits(decoder.norm(x))


def _attention(q: Tensor, keys_values: Tensor, mask: Tensor) -> Tensor:
    """Return the attention of queries, shape (rows, heads, n, depth), as (rows, n, heads, depth)."""
    keys, values = keys_values
    heard = F.scaled_dot_product_attention(q.to(keys.dtype), keys, values, attn_mask=mask)
    return heard.transpose(1, 2).contiguous().to(q.dtype)
