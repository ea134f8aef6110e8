"""Answers that an earlier attempt already has are not asked for again."""

from collections.abc import Sequence
from hashlib import sha256

from pydantic import ValidationError

from workers.engines import Checkpoints
from workers.voxtral.answers import Shape
from workers.voxtral.ears import Ears
from workers.voxtral.questions import Note, Notes, Question
from workers.voxtral.sections import Section
from workers.voxtral.watch import Watch


class Resumed:
    """Asks about sections only what `checkpoints` does not know yet.

    A key is made of the audio's samples, the model's name, and the question with its schema: whatever
    changes the answer changes the key.
    """

    def __init__(self, ears: Ears, model: str, checkpoints: Checkpoints | None) -> None:
        self._ears = ears
        self._model = model
        self._checkpoints = checkpoints

    def ask_about(self, sections: Sequence[Section], questions: Sequence[Question[Shape]], watch: Watch) -> list[Notes]:
        """Return the notes on each section, in their order."""
        names = [self._name(section) for section in sections]
        notes = [self._loaded(name, questions) for name in names]
        missing = [question for question in questions if any(question not in known for known in notes)]
        if not missing:
            return notes
        for question, answers in self._ears.ask_about(sections, missing, watch):
            for name, known, note in zip(names, notes, answers, strict=True):
                known.put(question, note)
                # An answer cut for want of time may get more of it in the next attempt.
                if self._checkpoints is not None and not note.truncated:
                    self._checkpoints.save(f"{name}-{question.key}", note.answer.model_dump(mode="json"))
        return notes

    def _name(self, section: Section) -> str:
        digest = sha256(section.samples.tobytes())
        digest.update(self._model.encode())
        return f"section-{digest.hexdigest()[:16]}"

    def _loaded(self, name: str, questions: Sequence[Question[Shape]]) -> Notes:
        notes = Notes()
        if self._checkpoints is None:
            return notes
        for question in questions:
            saved = self._checkpoints.load(f"{name}-{question.key}")
            if saved is None:
                continue
            try:
                notes.put(question, Note(question.shape.model_validate(saved)))
            except ValidationError:
                continue  # damaged, so it is asked again and saved over
        return notes
