"""Greedy decoding of several answers side by side: every step reads the weights once for all rows."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from workers.voxtral.constrained_decoding import GrammarConstraint
from workers.voxtral.deadline import Deadline
from workers.voxtral.kv_cache import AnswerLayer, Places, PromptLayer
from workers.voxtral.language_model import LanguageModel


@dataclass(frozen=True)
class Request:
    """A question to answer about each section of a batch."""

    tokens: tuple[int, ...]
    """The tokens after the shared prompt."""
    max_new_tokens: int
    constraint: GrammarConstraint | None = None
    """The grammar of the answers, with a row for each section."""


@dataclass(frozen=True)
class Prompt:
    """The tokens that all questions about a batch of sections share, computed once."""

    layers: tuple[PromptLayer, ...]
    sections: int
    tokens: int


@dataclass
class Row:
    """An answer under way: one request about one section."""

    section: int
    request: int
    tokens: list[int]
    is_open: bool = True


class Generation:
    """The decoding of all requests about all sections of a prompt."""

    def __init__(self, model: LanguageModel, prompt: Prompt, requests: Sequence[Request]) -> None:
        self._model = model
        self._prompt = prompt
        self._requests = requests
        self._caches = [AnswerLayer(layer) for layer in prompt.layers]
        self._rows = [Row(section, index, []) for section in range(prompt.sections) for index in range(len(requests))]

    def finished(self, end_token: int, deadline: Deadline | None) -> Iterator[tuple[Row, bool]]:
        """Yield each row when its answer ends, and whether its limit or the deadline truncated it.

        Raises:
            CancelledError: the job was cancelled; checked before each token.
            ArithmeticError: the first logits are not finite.
        """
        scores, lengths = self._ask()
        if not scores.isfinite().all():
            raise ArithmeticError
        while not (deadline is not None and deadline.is_expired()):
            chosen = self._choose(scores)
            for row, token in zip(self._rows, chosen.tolist(), strict=True):
                if row.is_open and (end := self._put(row, token, end_token)) is not None:
                    yield row, end
            if not any(row.is_open for row in self._rows):
                return
            scores = self._step(chosen.unsqueeze(1), lengths, [0] * len(lengths))
            lengths = [length + 1 for length in lengths]
        yield from ((row, True) for row in self._rows if row.is_open)

    def _ask(self) -> tuple[Tensor, list[int]]:
        """Return the logits after the questions, and the number of tokens of each row's question."""
        asked = [self._requests[row.request].tokens for row in self._rows]
        lengths = [len(tokens) for tokens in asked]
        # The padding's keys are hidden from every other token, and overwritten by the answer's.
        padded = [[*tokens, *[0] * (max(lengths) - len(tokens))] for tokens in asked]
        ids = torch.tensor(padded, device=self._device)
        return self._step(ids, [0] * len(lengths), [length - 1 for length in lengths]), lengths

    def _step(self, ids: Tensor, lengths: Sequence[int], last: Sequence[int]) -> Tensor:
        """Return the logits after tokens of shape (rows, tokens), of which `last` is the index of each row's last."""
        places = Places.after(lengths, ids.shape[1], self._model.group, self._device)
        for cache in self._caches:
            cache.places = places
        hidden = self._model.hidden(self._model.embed(ids), self._prompt.tokens + places.tokens, self._caches)
        return self._model.logits(hidden[range(len(last)), last])

    def _choose(self, scores: Tensor) -> Tensor:
        for index, request in enumerate(self._requests):
            if request.constraint is not None:
                request.constraint.mask_logits(scores[index :: len(self._requests)])
        return scores.argmax(-1)

    def _put(self, row: Row, token: int, end_token: int) -> bool | None:
        """Add a token to a row; return whether its limit truncates it there, and None if it goes on."""
        request = self._requests[row.request]
        if token == end_token:
            row.is_open = False
            return False
        row.tokens.append(token)
        if request.constraint is not None and request.constraint.accept(row.section, token):
            row.is_open = False
            return False
        if len(row.tokens) >= request.max_new_tokens:
            row.is_open = False
            return True
        return None

    @property
    def _device(self) -> torch.device:
        return self._prompt.layers[0].known()[0].device
