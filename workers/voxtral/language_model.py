"""One pass of Voxtral's language model, a Llama, over the weights that transformers loaded."""

from collections.abc import Callable, Sequence
from typing import Any, Protocol

from torch import Tensor
from transformers.models.llama.modeling_llama import apply_rotary_pos_emb


class LayerCache(Protocol):
    """Keys and values of earlier tokens in one layer."""

    def attend(self, query: Tensor, keys: Tensor, values: Tensor) -> Tensor:
        """Store keys and values, and return the attention of the queries; shapes as in `attention`."""
        ...


class LanguageModel:
    """The language model's layers, with caches of any kind.

    transformers' own pass repeats keys and values for each head of a group, which at ten minutes of audio takes most of
    a decoding step, and knows no cache that several rows share.
    """

    def __init__(self, model: Any, *, pauses_in_pass: bool, pause: Callable[[], None]) -> None:
        """Wrap a loaded model.

        Args:
            model: transformers' VoxtralForConditionalGeneration.
            pauses_in_pass: whether `hidden` calls `pause` between layers.
            pause: to be called before each pass, while no product is under way; lets the fast leg go first.
        """
        self._model = model.model.language_model
        self._head = model.lm_head
        text = model.config.text_config
        self.layers: int = text.num_hidden_layers
        self.group: int = text.num_attention_heads // text.num_key_value_heads
        self.decides_by_values: bool = getattr(model, "is_loaded_in_8bit", False)
        """Whether products look at their input to decide what to compute, as bitsandbytes does in 8 bits for outliers
        (https://arxiv.org/abs/2208.07339); such a pass cannot be recorded as a CUDA graph."""
        self._depth: int = text.head_dim
        self._pauses_in_pass = pauses_in_pass
        self.pause = pause

    def embed(self, ids: Tensor) -> Tensor:
        """Return the embeddings of token ids, shape (rows, tokens, width)."""
        return self._model.embed_tokens(ids)  # type: ignore[no-any-return]

    def hidden(self, embeddings: Tensor, positions: Tensor, caches: Sequence[LayerCache]) -> Tensor:
        """Return the hidden states after the last layer.

        Args:
            embeddings: shape (rows, tokens, width).
            positions: shape (rows or 1, tokens).
            caches: one for each layer.
        """
        cosines, sines = self._model.rotary_emb(embeddings, positions)
        hidden = embeddings
        for index, (layer, cache) in enumerate(zip(self._model.layers, caches, strict=True)):
            if self._pauses_in_pass and index:
                self.pause()
            attn, normed = layer.self_attn, layer.input_layernorm(hidden)
            query, keys, values = (self._by_head(linear(normed)) for linear in (attn.q_proj, attn.k_proj, attn.v_proj))
            query, keys = apply_rotary_pos_emb(query, keys, cosines, sines)
            attended = cache.attend(query, keys, values).transpose(1, 2).flatten(2)
            hidden = hidden + attn.o_proj(attended)
            hidden = hidden + layer.mlp(layer.post_attention_layernorm(hidden))
        return hidden

    def logits(self, hidden: Tensor) -> Tensor:
        """Return the logits of the next tokens in float32, shape (rows, vocabulary), of hidden states (rows, width)."""
        return self._head(self._model.norm(hidden)).float()  # type: ignore[no-any-return]

    def _by_head(self, projected: Tensor) -> Tensor:
        rows, tokens, _ = projected.shape
        return projected.view(rows, tokens, -1, self._depth).transpose(1, 2)
