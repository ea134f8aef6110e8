"""Greedy decoding of several answers side by side: every step reads the weights once for all rows."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from torch import Tensor

from workers.voxtral.answer_step import Answers, answer_step
from workers.voxtral.constrained_decoding import GrammarConstraint
from workers.voxtral.deadline import Deadline
from workers.voxtral.kv_cache import Prompt
from workers.voxtral.language_model import LanguageModel


@dataclass(frozen=True)
class Request:
    """A question to answer about each section of a batch."""

    tokens: tuple[int, ...]
    """The tokens after the shared prompt."""
    max_new_tokens: int
    constraint: GrammarConstraint | None = None
    """The grammar of the answers, with a row for each section."""


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
        self._requests = requests
        self._rows = [Row(section, index, []) for section in range(prompt.sections) for index in range(len(requests))]
        self._answers = Answers(model, prompt, len(self._rows))

    def finished(self, end_token: int, deadline: Deadline | None) -> Iterator[tuple[Row, bool]]:
        """Yield each row when its answer ends, and whether its limit or the deadline truncated it.

        Raises:
            CancelledError: the job was cancelled; checked before each token.
            ArithmeticError: the first logits are not finite.
        """
        scores = self._answers.ask([self._requests[row.request].tokens for row in self._rows])
        if not scores.isfinite().all():
            raise ArithmeticError
        step = answer_step(self._answers)
        while not (deadline is not None and deadline.is_expired()):
            chosen = self._choose(scores)
            for row, token in zip(self._rows, chosen.tolist(), strict=True):
                if row.is_open and (end := self._put(row, token, end_token)) is not None:
                    yield row, end
            if not any(row.is_open for row in self._rows):
                return
            scores = step(chosen)
        yield from ((row, True) for row in self._rows if row.is_open)

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
