"""Answers that an earlier attempt already has are not asked for again."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from hashlib import sha256

from pydantic import ValidationError

from workers.engine import Checkpoints
from workers.voxtral.answer_schemas import AnswerSchema
from workers.voxtral.backend import AudioBackend
from workers.voxtral.deadline import Deadline
from workers.voxtral.prompts import Note, Notes, Question, S
from workers.voxtral.sections import Section


class CachedAnswers:
    """Asks about sections and texts only what `checkpoints` does not know yet.

    A key is made of the weights, the audio's samples if there are any, and the question with its schema:
    whatever changes the answer changes the key.
    """

    def __init__(self, backend: AudioBackend, weights: str, checkpoints: Checkpoints | None) -> None:
        self._ears = backend
        self._weights = weights
        self._checkpoints = checkpoints

    def ask_about(
        self, sections: Sequence[Section], questions: Sequence[Question[AnswerSchema]], deadline: Deadline
    ) -> list[Notes]:
        """Return the notes on each section, in their order."""
        names = [self._name("section", section.samples.tobytes()) for section in sections]
        notes = [self._known(name, questions) for name in names]
        for missing, rows in _lacking(notes, questions).items():
            for index, question, note in self._ears.ask_about([sections[row] for row in rows], missing, deadline):
                notes[rows[index]].put(question, note)
                self._save(names[rows[index]], question, note)
        return notes

    def ask(self, question: Question[S], deadline: Deadline) -> Note[S]:
        """Return the answer to a question that comes without audio."""
        name = self._name("text")
        note = self._load(name, question)
        if note is None:
            note = self._ears.ask(question, deadline)
            self._save(name, question, note)
        return note

    def count_tokens(self, text: str) -> int:
        """Return how much of the context a text takes."""
        return self._ears.count_tokens(text)

    def _name(self, kind: str, heard: bytes = b"") -> str:
        digest = sha256(heard)
        digest.update(self._weights.encode())
        return f"{kind}-{digest.hexdigest()[:16]}"

    def _known(self, name: str, questions: Sequence[Question[AnswerSchema]]) -> Notes:
        notes = Notes()
        for question in questions:
            if (note := self._load(name, question)) is not None:
                notes.put(question, note)
        return notes

    def _load(self, name: str, question: Question[S]) -> Note[S] | None:
        saved = self._checkpoints.load(f"{name}-{question.key}") if self._checkpoints is not None else None
        if saved is None:
            return None
        try:
            return Note(question.shape.model_validate(saved))
        except ValidationError:
            return None  # damaged, so it is asked again and saved over

    def _save(self, name: str, question: Question[S], note: Note[S]) -> None:
        # An answer cut for want of time may get more of it in the next attempt.
        if self._checkpoints is not None and not note.truncated:
            self._checkpoints.save(f"{name}-{question.key}", note.answer.model_dump(mode="json"))


def _lacking(
    notes: Sequence[Notes], questions: Sequence[Question[AnswerSchema]]
) -> Mapping[tuple[Question[AnswerSchema], ...], list[int]]:
    """Return the rows that lack the same questions, by those questions."""
    rows: defaultdict[tuple[Question[AnswerSchema], ...], list[int]] = defaultdict(list)
    for row, known in enumerate(notes):
        if missing := tuple(question for question in questions if question not in known):
            rows[missing].append(row)
    return rows
