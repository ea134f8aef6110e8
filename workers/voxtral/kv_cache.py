"""KV caches of the language model: of the sections' audio, shared by all questions, and of each answer.

A row of answers is one question about one section; the rows of a section are neighbours. Every tensor of keys or values
has the shape (rows, heads, tokens, depth).
"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from workers.voxtral import attention

_MORE_TOKENS = 256
"""Tokens by which the cache of answers grows."""


class PromptLayer:
    """Keys and values of one layer for the tokens that all questions share."""

    def __init__(self, room_tokens: int) -> None:
        self._room_tokens = room_tokens
        self._used_tokens = 0
        self._keys = self._values = torch.empty(0)

    def attend(self, query: Tensor, keys: Tensor, values: Tensor) -> Tensor:
        """Store the keys and values of further tokens and return their causal attention."""
        rows, heads, count, depth = keys.shape
        if not self._used_tokens:
            self._keys, self._values = (keys.new_empty(rows, heads, self._room_tokens, depth) for _ in range(2))
        self._keys[:, :, self._used_tokens : self._used_tokens + count] = keys
        self._values[:, :, self._used_tokens : self._used_tokens + count] = values
        self._used_tokens += count
        return attention.causal(query, *self.known())

    def known(self) -> tuple[Tensor, Tensor]:
        """Return the keys and values so far."""
        return self._keys[:, :, : self._used_tokens], self._values[:, :, : self._used_tokens]


@dataclass
class Places:
    """Places of a step's tokens in each row's answer."""

    tokens: Tensor
    """Index of each token, shape (rows, tokens)."""
    mask: Tensor
    """0 for the visible tokens of the answer and minus infinity for others, float32, shape (rows, 1, group x tokens,
    tokens of the longest answer)."""

    @classmethod
    def after(cls, lengths: Sequence[int], count: int, group: int, device: torch.device) -> "Places":
        """Return the places of `count` further tokens in rows that have `lengths` tokens."""
        longest = max(lengths) + count
        tokens = torch.tensor(lengths, device=device).unsqueeze(1) + torch.arange(count, device=device)
        hidden = torch.arange(longest, device=device) > tokens.unsqueeze(-1)
        mask = torch.zeros(hidden.shape, device=device).masked_fill_(hidden, float("-inf"))
        return cls(tokens, mask.repeat(1, group, 1).unsqueeze(1))

    @property
    def longest(self) -> int:
        """Tokens of the longest answer after the step."""
        return self.mask.shape[-1]


class AnswerLayer:
    """Keys and values of one layer for the rows of answers, after those of the prompt."""

    def __init__(self, prompt: PromptLayer) -> None:
        self._prompt = prompt
        self._keys = self._values = torch.empty(0)
        self.places: Places | None = None
        """Places of the tokens of the step under way."""

    def attend(self, query: Tensor, keys: Tensor, values: Tensor) -> Tensor:
        """Store the keys and values of a step's tokens and return their attention over prompt and answer."""
        assert self.places is not None
        self._grow(keys, self.places.longest)
        rows = torch.arange(len(keys), device=keys.device).unsqueeze(1)
        self._keys[rows, :, self.places.tokens] = keys.transpose(1, 2)
        self._values[rows, :, self.places.tokens] = values.transpose(1, 2)
        folded, longest = attention.fold(query, keys.shape[1]), self.places.longest
        own = attention.partial(folded, self._keys[:, :, :longest], self._values[:, :, :longest], self.places.mask)
        return attention.merged(self._over_prompt(folded), own).reshape(query.shape)

    def _over_prompt(self, folded: Tensor) -> tuple[Tensor, Tensor]:
        """Return the attention over the prompt, which is read once for all questions about a section."""
        keys, values = self._prompt.known()
        rows, heads, queries, depth = folded.shape
        questions = rows // len(keys)
        together = folded.view(-1, questions, heads, queries, depth).transpose(1, 2).flatten(2, 3)
        output, weight = attention.partial(together, keys, values)
        output = output.view(-1, heads, questions, queries, depth).transpose(1, 2).flatten(0, 1)
        return output, weight.reshape(-1, heads, questions, queries).transpose(1, 2).flatten(0, 1)

    def _grow(self, keys: Tensor, longest: int) -> None:
        rows, heads, _, depth = keys.shape
        if self._keys.dim() == 4 and self._keys.shape[2] >= longest:
            return
        for name in ("_keys", "_values"):
            larger, known = keys.new_zeros(rows, heads, longest + _MORE_TOKENS, depth), getattr(self, name)
            if known.dim() == 4:
                larger[:, :, : known.shape[2]] = known
            setattr(self, name, larger)
