"""Protocols of the backends, shared by local and remote Voxtral."""

from collections.abc import Iterator, Sequence
from typing import Protocol

from workers.engine import EncodingStore
from workers.voxtral.answer_schemas import AnswerSchema
from workers.voxtral.deadline import Deadline
from workers.voxtral.prompts import Note, Question, S
from workers.voxtral.sections import Section


class TextBackend(Protocol):
    """Answers questions about texts, such as notes."""

    def ask(self, question: Question[S], deadline: Deadline) -> Note[S]:
        """Return the answer to a question without audio."""
        ...

    def count_tokens(self, text: str) -> int:
        """Return the number of tokens in a text, or an estimate that is seldom too low."""
        ...


class AudioBackend(TextBackend, Protocol):
    """Answers questions about audio as well."""

    @property
    def rows_at_once(self) -> int:
        """Number of sections of equal shape in one batch."""
        ...

    def ask_about(
        self, sections: Sequence[Section], questions: Sequence[Question[AnswerSchema]], deadline: Deadline
    ) -> Iterator[tuple[int, Question[AnswerSchema], Note[AnswerSchema]]]:
        """Yield each answer as soon as it is complete: the index of the section, the question and the note."""
        ...

    def remembering(self, encodings: EncodingStore, weights: str) -> "AudioBackend":
        """Return a backend that keeps the encodings of sections, for those weights, if it has any."""
        ...
