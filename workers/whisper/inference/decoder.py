"""Whisper's text decoder on openai-whisper's weights: prefill of whole texts, and steps of one token per window."""

from collections.abc import Sequence
from typing import Any

import torch
import torch.nn.functional as F  # noqa: N812
from torch import Tensor, nn
from whisper.model import Whisper

from workers.precision import Precision
from workers.whisper.inference import kv_cache
from workers.whisper.inference.encoder import ROWS, Norm
from workers.whisper.inference.linear import Linear, fused, prepare
from workers.whisper.inference.parallel import map_parallel

STEP_ROWS = 8  # typical rows of a decoding step


class _Block:
    def __init__(self, block: Any, precision: Precision) -> None:
        kind, dtype = precision.decoder, precision.decoder_dtype
        attn, cross, up, down = block.attn, block.cross_attn, block.mlp[0], block.mlp[2]
        self.attn_norm, self.cross_norm = Norm(block.attn_ln, dtype), Norm(block.cross_attn_ln, dtype)
        self.mlp_norm = Norm(block.mlp_ln, dtype)

        def one(layer: nn.Linear, gelu: bool = False) -> Linear:
            return prepare(layer.weight.detach(), layer.bias.detach(), kind, rows=STEP_ROWS, gelu=gelu)

        self.qkv = prepare(*fused([attn.query, attn.key, attn.value]), kind, rows=STEP_ROWS)
        self.out, self.cross_query, self.cross_out = one(attn.out), one(cross.query), one(cross.out)
        self.up, self.down = one(up, gelu=True), one(down)
        self.cross_key_value = prepare(*fused([cross.key, cross.value]), precision.encoder, rows=ROWS)


class DecoderState:
    """The KV caches of a batch of windows: cross-attention, filled from the features, and self-attention, empty."""

    def __init__(self, decoder: "Decoder", features: Sequence[Tensor], copies: int = 1) -> None:
        """Fill the cross-attention caches.

        Args:
            decoder: the decoder that uses the caches.
            features: features of each window, shape (positions, width).
            copies: number of texts decoded in parallel for each window (beams).
        """
        rows, positions = len(features), max(map(len, features))
        self.decoder, self.features = decoder, features
        self.lengths = [len(window) for window in features]
        self.copies = copies
        sizes = (decoder.heads, decoder.depth, decoder.device)
        heads, depth, device = sizes
        kind = decoder.precision.cache
        self.cross_kv = [kv_cache.make(kind, rows, heads, positions, depth, device) for _ in decoder.blocks]
        own = "fp32" if kind == "int8" else kind  # this cache is small, and its errors would accumulate
        self.self_kv = [
            kv_cache.make(own, rows * copies, heads, decoder.context, depth, device) for _ in decoder.blocks
        ]
        if device.type == "cpu":
            map_parallel(self._fill, range(rows))
        else:
            for row in range(rows):
                self._fill(row)

    def _fill(self, row: int) -> None:
        window = self.features[row]
        for block, layer in zip(self.decoder.blocks, self.cross_kv, strict=True):
            both = block.cross_key_value(window).view(len(window), 2, self.decoder.heads, self.decoder.depth)
            keys, values = both.permute(1, 2, 0, 3)
            layer.store(row, 0, keys, values)

    def of(self, rows: Sequence[int]) -> "DecoderState":
        """Return a state of some of the windows, with empty self-attention caches."""
        return DecoderState(self.decoder, [self.features[row] for row in rows])


class Decoder:
    """The text decoder, which maps tokens and audio to hidden states, and hidden states to logits."""

    def __init__(self, model: Whisper, precision: Precision) -> None:
        decoder, dtype = model.decoder, precision.decoder_dtype
        self.precision = precision
        self.device = model.device
        self.context: int = model.dims.n_text_ctx
        self.heads: int = model.dims.n_text_head
        self.depth: int = model.dims.n_text_state // model.dims.n_text_head
        embedding = decoder.token_embedding.weight.detach()
        self.embedding = embedding.to(dtype)
        self.positions = decoder.positional_embedding.detach().to(dtype)
        self.blocks = [_Block(block, precision) for block in decoder.blocks]
        self.norm = Norm(decoder.ln, dtype)
        self._vocabulary = prepare(embedding, None, precision.decoder, rows=STEP_ROWS)

    def logits(self, hidden: Tensor) -> Tensor:
        """Return float32 logits, shape (n, vocabulary), of hidden states, shape (n, width)."""
        return self._vocabulary(hidden.contiguous()).float()

    def step(self, tokens: Tensor, position: int, rows: Sequence[int], state: DecoderState) -> Tensor:
        """Decode one more token of each row.

        Args:
            tokens: shape (n,), int64.
            position: number of tokens already decoded in each row.
            rows: shape (n,): the active rows of the state.
            state: KV caches of all rows.

        Returns:
            Hidden states, shape (n, width).
        """
        n = len(rows)
        windows = [row // state.copies for row in rows]
        audio_lengths = [state.lengths[window] for window in windows]
        text_lengths = [position + 1] * n
        x = self.embedding[tokens] + self.positions[position]
        for block, text, audio in zip(self.blocks, state.self_kv, state.cross_kv, strict=True):
            q, k, v = block.qkv(block.attn_norm(x)).view(n, 3, self.heads, self.depth).unbind(1)
            text.append(rows, position, k, v)
            x = x + block.out(text.attend(q, rows, text_lengths).view(n, -1))
            q = block.cross_query(block.cross_norm(x)).view(n, self.heads, self.depth)
            x = x + block.cross_out(audio.attend(q, windows, audio_lengths).view(n, -1))
            x = x + block.down(block.up(block.mlp_norm(x)))
        return self.norm(x)

    def prefill(
        self,
        texts: Sequence[Sequence[int]],
        state: DecoderState,
        *,
        remember: bool = False,
        heads: Sequence[tuple[int, int]] = (),
    ) -> tuple[list[Tensor], list[Tensor]]:
        """Decode one complete text per window in a single pass.

        Args:
            texts: tokens of each window.
            state: KV caches of the windows.
            remember: whether to store the texts in the state, so that `step` continues after them.
            heads: (layer, head) pairs whose cross-attention scores are returned.

        Returns:
            Hidden states of each window, shape (tokens, width), and for each window the scores of `heads`
            before softmax, shape (heads, tokens, positions), float32.
        """
        counts = [len(text) for text in texts]
        tokens = torch.tensor([token for text in texts for token in text], device=self.device)
        places = torch.cat([torch.arange(count) for count in counts]).to(self.device)
        x = self.embedding[tokens] + self.positions[places]
        scores: list[list[Tensor]] = [[] for _ in texts]
        layers = zip(self.blocks, state.self_kv, state.cross_kv, strict=True)
        for index, (block, text, audio) in enumerate(layers):
            parts = []
            wanted = [head for layer, head in heads if layer == index]
            for row, part in enumerate(torch.split(block.qkv(block.attn_norm(x)), counts)):
                q, k, v = part.view(len(part), 3, self.heads, self.depth).permute(1, 2, 0, 3)
                if remember:
                    for copy in range(state.copies):
                        text.store(row * state.copies + copy, 0, k, v)
                parts.append(_attention(q, k, v, causal=True))
            x = x + block.out(torch.cat(parts))
            parts = []
            for row, part in enumerate(torch.split(block.cross_query(block.cross_norm(x)), counts)):
                q = part.view(len(part), self.heads, self.depth).transpose(0, 1)
                k, v = (side.to(q.dtype) for side in audio.read(row, state.lengths[row]))
                if wanted:
                    scores[row].append((q[wanted] * self.depth**-0.5 @ k[wanted].transpose(1, 2)).float())
                parts.append(_attention(q, k, v, causal=False))
            x = x + block.cross_out(torch.cat(parts))
            x = x + block.down(block.up(block.mlp_norm(x)))
        hidden = list(torch.split(self.norm(x), counts))
        return hidden, [torch.cat(window) for window in scores] if heads else []


def _attention(q: Tensor, k: Tensor, v: Tensor, *, causal: bool) -> Tensor:
    mixed = F.scaled_dot_product_attention(q[None], k[None], v[None], is_causal=causal)[0]
    return mixed.transpose(0, 1).reshape(q.shape[1], -1)
