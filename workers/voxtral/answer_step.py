"""Answers under way and the step that adds a token to each, recorded as a CUDA graph on a GPU and replayed."""

from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from workers.cuda_graph import Graph
from workers.voxtral.kv_cache import AnswerLayer, Places, Prompt
from workers.voxtral.language_model import LanguageModel

Step = Callable[[Tensor], Tensor]
"""Function of each row's newest token, shape (rows,). Returns the logits of the next ones, shape (rows, vocabulary),
float32, which the next call overwrites."""


class Answers:
    """The rows of answers after a prompt: how many tokens each has, its question included, and their caches."""

    def __init__(self, model: LanguageModel, prompt: Prompt, rows: int) -> None:
        self.model = model
        self._prompt_tokens = prompt.tokens
        self._caches = [AnswerLayer(layer, rows) for layer in prompt.layers]
        self.device = prompt.device
        self.lengths = torch.zeros(rows, dtype=torch.long, device=self.device)
        self.longest = 0

    def ask(self, questions: Sequence[Sequence[int]]) -> Tensor:
        """Add the tokens of each row's question; return the logits after them, as `Step` does."""
        longest = max(map(len, questions))
        # The padding's keys are hidden from every other token, and overwritten by the answer's.
        padded = [[*tokens, *[0] * (longest - len(tokens))] for tokens in questions]
        self.model.pause()
        self.reserve(longest)
        hidden = self.hidden(torch.tensor(padded, device=self.device), longest)
        added = torch.tensor([len(tokens) for tokens in questions], device=self.device)
        logits = self.model.logits(hidden[torch.arange(len(padded), device=self.device), added - 1])
        self.lengths += added
        self.longest = longest
        return logits

    def step(self, tokens: Tensor) -> Tensor:
        """Add a token to each row; as `Step`."""
        self.model.pause()
        self.reserve(self.longest + 1)
        logits = self.model.logits(self.hidden(tokens.unsqueeze(1), self.longest + 1)[:, 0])
        self.advance()
        return logits

    def hidden(self, ids: Tensor, longest: int) -> Tensor:
        """Return the hidden states of further tokens, shape (rows, tokens), within the first `longest` of each row."""
        places = Places.after(self.lengths, ids.shape[1], longest, self.model.group)
        for cache in self._caches:
            cache.places = places
        return self.model.hidden(self.model.embed(ids), self._prompt_tokens + places.tokens, self._caches)

    def advance(self) -> None:
        """Count the token that each row has got."""
        self.lengths += 1
        self.longest += 1

    def reserve(self, tokens: int) -> None:
        """Make room for so many tokens a row; a cache that lacks it moves to another address."""
        for cache in self._caches:
            cache.reserve(tokens)

    @property
    def room(self) -> int:
        """Tokens a row that fit the caches where they are."""
        return self._caches[0].room


class StaticStep:
    """A step whose tensors keep addresses and shapes while the caches have room, so that it can be recorded.

    It attends over the whole room, most of which is masked at first. The room grows by 256 tokens, and each time the
    step is recorded again, for about the time of a few steps that are launched one by one. Room for the limit of an
    answer instead (usually twice its length, for a transcription thousands of tokens) would take several times the
    memory of most answers, and its masked keys would be read in every step.
    """

    def __init__(self, answers: Answers) -> None:
        self._answers = answers
        self._tokens = answers.lengths.new_zeros(len(answers.lengths), 1)

    def through(self, record: Callable[[Callable[[], Tensor]], Callable[[], Tensor]]) -> Step:
        """Return the step; `record` makes of a function one that computes the same on the same tensors."""
        answers, logits = self._answers, self.logits
        recorded: Callable[[], Tensor] | None = None

        def step(tokens: Tensor) -> Tensor:
            nonlocal recorded
            answers.model.pause()
            if answers.longest >= answers.room:
                recorded = None  # it would write to the addresses of the smaller caches
                answers.reserve(answers.longest + 1)
            if recorded is None:
                recorded = record(logits)
            self._tokens.copy_(tokens.unsqueeze(1))
            result = recorded()
            answers.advance()
            return result

        return step

    def logits(self) -> Tensor:
        """Return the logits after the newest tokens."""
        return self._answers.model.logits(self._answers.hidden(self._tokens, self._answers.room)[:, 0])


def answer_step(answers: Answers) -> Step:
    """Return the step of answers whose questions are asked."""
    if answers.device.type == "cuda" and not answers.model.decides_by_values:
        return StaticStep(answers).through(Graph)
    return answers.step
