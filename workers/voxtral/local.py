"""Voxtral on this machine's device, as what answers questions."""

from collections.abc import Iterator, Sequence

import torch

from pipeline.errors import EngineError
from workers.voxtral.answers import GUIDED, Shape, read
from workers.voxtral.model import Answer, VoxtralModel
from workers.voxtral.questions import Note, Question, S
from workers.voxtral.sections import Section
from workers.voxtral.watch import Watch


class LocalEars:
    """Voxtral on this machine's device."""

    def __init__(self, model: VoxtralModel, rows_at_once: int) -> None:
        self.rows_at_once = rows_at_once
        self._model = model
        for shape in GUIDED:  # what cannot be followed shall show before any episode is taken
            model.guides.compile(shape.schema_to_follow())

    def ask_about(
        self, sections: Sequence[Section], questions: Sequence[Question[Shape]], watch: Watch
    ) -> Iterator[tuple[Question[Shape], list[Note[Shape]]]]:
        """Yield each question with one answer a section: each section is encoded and prefilled once.

        Where memory runs out, at once or after some answers, what is left is asked about half as many sections.

        Raises:
            EngineError: not even one section fits the device.
        """
        left = list(questions)
        try:
            for question, notes in self._answers(sections, questions, watch):
                left.remove(question)
                yield question, notes
            return
        except torch.OutOfMemoryError as error:
            if len(sections) == 1:
                raise EngineError(
                    f"{sections[0].length_s:.0f} s of audio do not fit beside Voxtral ({error}); "
                    "lower DUET_VOXTRAL_SECTION_S."
                ) from None
        # Outside the except block: the error's traceback keeps the batch that did not fit alive.
        if self._model.place.device.type == "cuda":
            torch.cuda.empty_cache()
        self.rows_at_once = len(sections) // 2
        halves = [sections[: self.rows_at_once], sections[self.rows_at_once :]]
        answered = [dict(self._by_key(half, left, watch)) for half in halves]
        for question in left:
            yield question, [note for half in answered for note in half[question.key]]

    def _by_key(
        self, sections: Sequence[Section], questions: Sequence[Question[Shape]], watch: Watch
    ) -> Iterator[tuple[str, list[Note[Shape]]]]:
        for question, notes in self.ask_about(sections, questions, watch):
            yield question.key, notes

    def _answers(
        self, sections: Sequence[Section], questions: Sequence[Question[Shape]], watch: Watch
    ) -> Iterator[tuple[Question[Shape], list[Note[Shape]]]]:
        listening = self._model.listen([self._model.hear(section.samples) for section in sections])
        for question in questions:
            # The second helping is only as large as the context leaves it; the first must fit.
            limit = max(question.room_tokens, min(_limit(question), listening.room_tokens(question.text)))
            if question.is_transcription:
                answers = listening.transcribe(question.language, limit, watch)
            else:
                guide = self._model.guides.start(question.shape.schema_to_follow(), len(sections))
                answers = listening.ask(question.text, limit, guide, watch)
            yield question, [_note(question, answer) for answer in answers]

    def ask(self, question: Question[S], watch: Watch) -> Note[S]:
        """Return the answer to a question that comes without audio."""
        guide = self._model.guides.start(question.shape.schema_to_follow(), 1)
        return _note(question, self._model.answer(question.text, _limit(question), guide, watch))

    def count_tokens(self, text: str) -> int:
        """Return how many tokens a text is."""
        return len(self._model.encode(text))


def _limit(question: Question[S]) -> int:
    # Greedily decoded, a cut answer asked again with more room begins with the same tokens: so it is
    # not asked again but goes on, up to the room that the second try would have.
    return 2 * question.room_tokens


def _note(question: Question[S], answer: Answer) -> Note[S]:
    if question.is_transcription:
        return Note(question.shape.model_validate({"text": answer.text}), answer.truncated)
    found = read(question.shape, answer.text, truncated=answer.truncated)
    if found is None and not answer.truncated:
        raise EngineError(f"A guided answer does not validate ({answer.text[:80]!r}); this is a defect in Duet.")
    return Note(found or question.shape(), answer.truncated)
