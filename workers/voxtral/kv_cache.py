"""Preallocated KV cache of the language model."""

from typing import Any

import torch
import transformers

_hf: Any = transformers
_MORE_TOKENS = 1024


class _Layer(_hf.DynamicLayer):  # type: ignore[misc]
    """Keys and values of one layer, shape (rows, heads, tokens, width), in preallocated tensors.

    The layer of transformers copies its whole content for every new token. At ten minutes of audio a row, that causes
    more memory traffic than attention itself.
    """

    def __init__(self, room_tokens: int) -> None:
        super().__init__()
        self._room_tokens = room_tokens
        self._used_tokens = 0

    def lazy_initialization(self, key_states: torch.Tensor, value_states: torch.Tensor) -> None:
        rows, heads, _, width = key_states.shape
        self.dtype, self.device = key_states.dtype, key_states.device
        self.keys = key_states.new_empty(rows, heads, self._room_tokens, width)
        self.values = value_states.new_empty(rows, heads, self._room_tokens, value_states.shape[-1])
        self.is_initialized = True

    def update(
        self, key_states: torch.Tensor, value_states: torch.Tensor, *_: Any, **__: Any
    ) -> tuple[torch.Tensor, torch.Tensor]:
        if not self.is_initialized:
            self.lazy_initialization(key_states, value_states)
        start, end = self._used_tokens, self._used_tokens + key_states.shape[-2]
        if end > self._room_tokens:
            self._grow(end + _MORE_TOKENS)
        self.keys[:, :, start:end] = key_states
        self.values[:, :, start:end] = value_states
        self._used_tokens = end
        return self.keys[:, :, :end], self.values[:, :, :end]

    def _grow(self, room_tokens: int) -> None:
        more = room_tokens - self._room_tokens
        self.keys = torch.nn.functional.pad(self.keys, (0, 0, 0, more))
        self.values = torch.nn.functional.pad(self.values, (0, 0, 0, more))
        self._room_tokens = room_tokens

    def get_seq_length(self) -> int:
        return self._used_tokens

    def crop(self, tokens_to_remove: int) -> None:
        self._used_tokens -= abs(tokens_to_remove)


def new_cache(layers: int, prompt_tokens: int) -> Any:
    """Return an empty cache with space for the prompt and a usual answer per row; it grows on demand."""
    return _hf.Cache(layers=[_Layer(prompt_tokens + _MORE_TOKENS) for _ in range(layers)])
