"""Cache of answers from earlier attempts."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from hashlib import sha256

from pydantic import ValidationError

from pipeline.types import NO_CONTEXT, Context
from workers.engine import Checkpoints
from workers.voxtral.answer_schemas import AnswerSchema
from workers.voxtral.backend import AudioBackend
from workers.voxtral.context_prompt import with_context
from workers.voxtral.deadline import Deadline
from workers.voxtral.prompts import Note, Notes, Question, S
from workers.voxtral.sections import Section


class CachedAnswers:
    """Backend wrapper that requests only the answers missing from `checkpoints`, each with the episode's context.

    A key is derived from the weights, the audio samples if any, and the question with its schema, so it changes with
    every input of the answer.
    """

    def __init__(
        self, backend: AudioBackend, weights: str, checkpoints: Checkpoints | None, context: Context = NO_CONTEXT
    ) -> None:
        self._backend = backend
        self._weights = weights
        self._checkpoints = checkpoints
        self._context = context

    def ask_about(
        self, sections: Sequence[Section], questions: Sequence[Question[AnswerSchema]], deadline: Deadline
    ) -> list[Notes]:
        """Return the notes on each section, in order."""
        names = [self._name("section", section.samples.tobytes()) for section in sections]
        notes = [self._load_notes(name, questions) for name in names]
        for missing, rows in _rows_by_missing(notes, questions).items():
            asked = {with_context(question, self._context): question for question in missing}
            for index, told, note in self._backend.ask_about([sections[row] for row in rows], list(asked), deadline):
                notes[rows[index]].put(asked[told], note)
                self._save(names[rows[index]], told, note)
        return notes

    def ask(self, question: Question[S], deadline: Deadline) -> Note[S]:
        """Return the answer to a question without audio."""
        name, told = self._name("text"), with_context(question, self._context)
        note = self._load(name, told)
        if note is None:
            note = self._backend.ask(told, deadline)
            self._save(name, told, note)
        return note

    def count_tokens(self, text: str) -> int:
        """Return the number of tokens in a text."""
        return self._backend.count_tokens(text)

    def _name(self, kind: str, audio: bytes = b"") -> str:
        digest = sha256(audio)
        digest.update(self._weights.encode())
        return f"{kind}-{digest.hexdigest()[:16]}"

    def _load_notes(self, name: str, questions: Sequence[Question[AnswerSchema]]) -> Notes:
        notes = Notes()
        for question in questions:
            if (note := self._load(name, with_context(question, self._context))) is not None:
                notes.put(question, note)
        return notes

    def _load(self, name: str, question: Question[S]) -> Note[S] | None:
        saved = self._checkpoints.load(f"{name}-{question.key}") if self._checkpoints is not None else None
        if saved is None:
            return None
        try:
            return Note(question.shape.model_validate(saved))
        except ValidationError:
            return None  # damaged; requested again and overwritten

    def _save(self, name: str, question: Question[S], note: Note[S]) -> None:
        # The next attempt may have the time to complete a truncated answer, or get one that can be read.
        if self._checkpoints is not None and not note.truncated and not note.missing:
            self._checkpoints.save(f"{name}-{question.key}", note.answer.model_dump(mode="json"))


def _rows_by_missing(
    notes: Sequence[Notes], questions: Sequence[Question[AnswerSchema]]
) -> Mapping[tuple[Question[AnswerSchema], ...], list[int]]:
    """Return the rows grouped by their unanswered questions."""
    rows: defaultdict[tuple[Question[AnswerSchema], ...], list[int]] = defaultdict(list)
    for row, known in enumerate(notes):
        if missing := tuple(question for question in questions if question not in known):
            rows[missing].append(row)
    return rows
