"""The decoding step of one token per row, recorded once as a CUDA graph on a GPU and replayed."""

from collections.abc import Callable, Sequence

import torch
import torch.nn.functional as F  # noqa: N812
from torch import Tensor

from workers.cuda_graph import Graph
from workers.whisper.inference.decoder import Decoder, DecoderState
from workers.whisper.inference.kv_cache import TensorCache

Step = Callable[[Tensor, int, Sequence[int]], Tensor]
"""Function of tokens, shape (n,), the number of tokens already decoded, and rows of the state, shape (n,).
Returns the logits of the next tokens, shape (n, vocabulary), float32."""


def decoder_step(decoder: Decoder, state: DecoderState) -> Step:
    """Return the step for a batch whose prompts are prefilled in its state."""
    if decoder.device.type == "cuda":
        static = StaticStep(decoder, state)
        return static.through(Graph(static.logits))
    return lambda tokens, position, rows: decoder.logits(decoder.step(tokens, position, rows, state))


class StaticStep:
    """A step whose tensors have fixed addresses and shapes, so that it can be recorded.

    Every row of the state takes part in every step; the output of finished rows is ignored.
    """

    def __init__(self, decoder: Decoder, state: DecoderState) -> None:
        self.decoder, self.state = decoder, state
        self.rows = len(state.lengths) * state.copies
        self.tokens = torch.zeros(self.rows, dtype=torch.long, device=decoder.device)
        self.position = torch.zeros(1, dtype=torch.long, device=decoder.device)
        self.places = torch.arange(decoder.context, device=decoder.device)
        lengths = torch.tensor(state.lengths, device=decoder.device)
        audible = torch.arange(max(state.lengths), device=decoder.device) < lengths[:, None]
        self.heard = audible[:, None, None]

    def through(self, logits: Callable[[], Tensor]) -> Step:
        """Return a step that computes its logits by calling `logits`."""

        def step(tokens: Tensor, position: int, rows: Sequence[int]) -> Tensor:
            chosen = torch.tensor(rows, device=self.decoder.device)
            self.tokens[chosen] = tokens
            self.position.fill_(position)
            return logits()[chosen]

        return step

    def logits(self) -> Tensor:
        """Decode `tokens` at `position`; return logits of all rows."""
        decoder, state = self.decoder, self.state
        heads, depth, windows = decoder.heads, decoder.depth, len(state.lengths)
        text_mask = (self.places <= self.position)[None, None, None]
        x = decoder.embedding[self.tokens] + decoder.positions[self.position]
        for block, text, audio in zip(decoder.blocks, state.self_kv, state.cross_kv, strict=True):
            assert isinstance(text, TensorCache)
            assert isinstance(audio, TensorCache)
            both = block.qkv(block.attn_norm(x)).view(self.rows, 3, heads, 1, depth)
            text.data.index_copy_(3, self.position, both[:, 1:].transpose(0, 1).to(text.data.dtype))
            x = x + block.out(_attention(both[:, 0], text.data, text_mask).view(self.rows, -1))
            q = block.cross_query(block.cross_norm(x)).view(windows, state.copies, heads, depth).transpose(1, 2)
            x = x + block.cross_out(_attention(q, audio.data, self.heard).view(self.rows, -1))
            x = x + block.down(block.up(block.mlp_norm(x)))
        return decoder.logits(decoder.norm(x))


def _attention(q: Tensor, keys_values: Tensor, mask: Tensor) -> Tensor:
    """Return the attention of queries, shape (rows, heads, n, depth), as (rows, n, heads, depth)."""
    keys, values = keys_values
    output = F.scaled_dot_product_attention(q.to(keys.dtype), keys, values, attn_mask=mask)
    return output.transpose(1, 2).contiguous().to(q.dtype)
