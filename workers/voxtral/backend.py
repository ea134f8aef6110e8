"""Who answers: the protocols that Voxtral on this machine and Voxtral on a server share."""

from collections.abc import Iterator, Sequence
from typing import Protocol

from workers.voxtral.answer_schemas import AnswerSchema
from workers.voxtral.deadline import Deadline
from workers.voxtral.prompts import Note, Question, S
from workers.voxtral.sections import Section


class TextBackend(Protocol):
    """Answers questions about texts, such as notes."""

    def ask(self, question: Question[S], deadline: Deadline) -> Note[S]:
        """Return the answer to a question that comes without audio."""
        ...

    def count_tokens(self, text: str) -> int:
        """Return how much of the context a text takes, rather too much than too little."""
        ...


class AudioBackend(TextBackend, Protocol):
    """Answers questions about audio as well."""

    @property
    def rows_at_once(self) -> int:
        """How many sections of equal shape are answered side by side."""
        ...

    def ask_about(
        self, sections: Sequence[Section], questions: Sequence[Question[AnswerSchema]], deadline: Deadline
    ) -> Iterator[tuple[int, Question[AnswerSchema], Note[AnswerSchema]]]:
        """Yield each answer as soon as it is there: the section's index, the question, and what was answered."""
        ...
