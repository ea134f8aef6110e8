"""Decoding constrained to a JSON schema, so that complete answers are always valid.

llguidance (https://github.com/guidance-ai/llguidance) matches the grammar; mistral-common provides the tokenizer.
"""

import json
from typing import Any

import llguidance
import torch
from llguidance.torch import allocate_token_bitmask, fill_next_token_bitmask
from mistral_common.guidance.tokenizer import from_mistral_tokenizer

from pipeline.errors import EngineError


class GrammarCompiler:
    """Compiles schemas for one tokenizer; construction takes about a second with the real tokenizer."""

    def __init__(self, mistral_tokenizer: Any) -> None:
        self._tokenizer = from_mistral_tokenizer(mistral_tokenizer)
        self._compiled: dict[str, str] = {}

    def compile(self, schema: dict[str, Any]) -> str:
        """Return the grammar of a JSON schema, compiled once.

        Raises:
            EngineError: llguidance does not support the schema.
        """
        key = json.dumps(schema, sort_keys=True)
        if key not in self._compiled:
            # With free whitespace a derailed model could generate blanks without end.
            try:
                grammar = llguidance.LLMatcher.grammar_from_json_schema(
                    schema, overrides={"whitespace_flexible": False}
                )
                problem = llguidance.LLMatcher(self._tokenizer, grammar).get_error()
            except ValueError as error:
                problem = str(error)
            if problem:
                first = problem.strip().splitlines()[0]
                raise EngineError(f"An answer's schema cannot be followed ({first}); simplify the schema.")
            self._compiled[key] = grammar
        return self._compiled[key]

    def start(self, schema: dict[str, Any], rows: int) -> "GrammarConstraint":
        """Return the constraint for a batch of answers to one question."""
        grammar = self.compile(schema)
        return GrammarConstraint(self._tokenizer, grammar, rows)


class GrammarConstraint:
    """The grammar state of a batch of answers, advanced token by token."""

    def __init__(self, tokenizer: Any, grammar: str, rows: int) -> None:
        self._matchers = [llguidance.LLMatcher(tokenizer, grammar) for _ in range(rows)]
        self._bits = allocate_token_bitmask(rows, tokenizer.vocab_size)
        self._shifts = torch.arange(32, dtype=torch.int32)

    def mask_logits(self, scores: torch.Tensor) -> None:
        """Set the scores of forbidden tokens to minus infinity, in place; shape (rows, vocabulary)."""
        for row, matcher in enumerate(self._matchers):
            if matcher.is_stopped():
                self._bits[row] = -1  # this row is complete; its further tokens are discarded
            else:
                fill_next_token_bitmask(matcher, self._bits, row)
        bits = self._bits.to(scores.device)
        allowed = (bits.unsqueeze(-1) >> self._shifts.to(scores.device)).bitwise_and_(1).flatten(1).bool()
        width = min(allowed.shape[1], scores.shape[1])
        scores[:, :width].masked_fill_(~allowed[:, :width], float("-inf"))
        scores[:, width:] = float("-inf")

    def accept(self, row: int, token: int) -> bool:
        """Advance a row by a token, and return whether its answer is complete.

        Raises:
            EngineError: the token is not one that `mask_logits` allowed.
        """
        matcher = self._matchers[row]
        if not matcher.consume_token(token):
            raise EngineError(f"The answer left its schema ({matcher.get_error()}); this is a defect in Duet.")
        return matcher.is_stopped()
