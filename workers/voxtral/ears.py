"""Who answers: the protocol that Voxtral on this machine and Voxtral on a server share."""

from collections.abc import Iterator, Sequence
from typing import Protocol

from workers.voxtral.answers import Shape
from workers.voxtral.questions import Note, Question, S
from workers.voxtral.sections import Section
from workers.voxtral.watch import Watch


class Ears(Protocol):
    """Answers questions about audio, and about notes."""

    rows_at_once: int
    """How many sections of equal shape are answered side by side."""

    def ask_about(
        self, sections: Sequence[Section], questions: Sequence[Question[Shape]], watch: Watch
    ) -> Iterator[tuple[Question[Shape], list[Note[Shape]]]]:
        """Yield each question with one answer a section, as soon as they are there."""
        ...

    def ask(self, question: Question[S], watch: Watch) -> Note[S]:
        """Return the answer to a question that comes without audio."""
        ...

    def count_tokens(self, text: str) -> int:
        """Return how much of the context a text takes, rather too much than too little."""
        ...
