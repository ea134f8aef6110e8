"""KV caches of the language model: of the sections' audio, shared by all questions, and of each answer.

A row of answers is one question about one section; the rows of a section are neighbours. Every tensor of keys or values
has the shape (rows, heads, tokens, depth).
"""

from dataclasses import dataclass
from math import ceil

import torch
import torch.nn.functional as F  # noqa: N812
from torch import Tensor

from workers.voxtral import attention

_ROOM_TOKENS = 256
"""The room in the cache of answers is a multiple of it, and as aligned as matrix products like it."""


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


@dataclass(frozen=True)
class Prompt:
    """The tokens that all questions about a batch of sections share, computed once."""

    layers: tuple[PromptLayer, ...]
    sections: int
    tokens: int

    @property
    def device(self) -> torch.device:
        """The device of its keys and values."""
        return self.layers[0].known()[0].device


@dataclass
class Places:
    """Places of a step's tokens in each row's answer."""

    tokens: Tensor
    """Index of each token, shape (rows, tokens)."""
    mask: Tensor
    """0 for the visible tokens of the answer and minus infinity for others, float32, shape (rows, 1, group x tokens,
    tokens of the longest answer or of the whole room)."""

    @classmethod
    def after(cls, lengths: Tensor, count: int, longest: int, group: int) -> "Places":
        """Return the places of `count` further tokens in rows that have `lengths` tokens, among `longest` at most."""
        tokens = lengths.unsqueeze(1) + torch.arange(count, device=lengths.device)
        hidden = torch.arange(longest, device=lengths.device) > tokens.unsqueeze(-1)
        mask = torch.zeros(hidden.shape, device=lengths.device).masked_fill_(hidden, float("-inf"))
        return cls(tokens, mask.repeat(1, group, 1).unsqueeze(1))

    @property
    def longest(self) -> int:
        """Tokens of each row that are attended over or masked."""
        return self.mask.shape[-1]


class AnswerLayer:
    """Keys and values of one layer for the rows of answers, after those of the prompt."""

    def __init__(self, prompt: PromptLayer, rows: int) -> None:
        self._prompt = prompt
        keys, _ = prompt.known()
        self._keys = self._values = keys.new_empty(rows, keys.shape[1], 0, keys.shape[3])
        self.places: Places | None = None
        """Places of the tokens of the step under way."""

    @property
    def room(self) -> int:
        """Tokens of each row that fit."""
        return self._keys.shape[2]

    def reserve(self, tokens: int) -> None:
        """Make room for a number of tokens in each row, zeros at first; without enough of it, move to a larger one."""
        if (more := ceil(tokens / _ROOM_TOKENS) * _ROOM_TOKENS - self.room) > 0:
            self._keys = F.pad(self._keys, (0, 0, 0, more))
            self._values = F.pad(self._values, (0, 0, 0, more))

    def attend(self, query: Tensor, keys: Tensor, values: Tensor) -> Tensor:
        """Store the keys and values of a step's tokens and return their attention over prompt and answer."""
        assert self.places is not None
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
