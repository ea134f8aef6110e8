"""Backend that runs Voxtral on this machine's device."""

from collections import Counter
from collections.abc import Iterator, Sequence
from copy import copy

from pipeline.errors import EngineError
from workers.engine import EncodingStore
from workers.memory.activations import QUESTIONS_AT_ONCE
from workers.memory.batch_limit import BatchLimit, is_out_of_memory
from workers.voxtral.answer_schemas import GUIDED, AnswerSchema, read
from workers.voxtral.deadline import Deadline
from workers.voxtral.encodings import Encoder, kept_encoder
from workers.voxtral.generation import Request
from workers.voxtral.model import Answer, AudioConversation, VoxtralModel
from workers.voxtral.prompts import Note, Question, S
from workers.voxtral.sections import Section


class LocalBackend:
    """Answers questions with Voxtral on this machine's device."""

    def __init__(self, model: VoxtralModel, rows_at_once: int) -> None:
        self.model = model
        self._encode: Encoder = model.encode_audio
        self._batch_limit = BatchLimit(rows_at_once)
        for shape in GUIDED:  # an unsupported schema fails before the first job
            model.grammars.compile(shape.schema_to_follow())

    def ask_about(
        self, sections: Sequence[Section], questions: Sequence[Question[AnswerSchema]], deadline: Deadline
    ) -> Iterator[tuple[int, Question[AnswerSchema], Note[AnswerSchema]]]:
        """Yield each answer as soon as it is complete; each section is encoded and prefilled once.

        When memory runs out, the remaining questions are repeated with half as many sections.

        Raises:
            DeviceMemoryError: half of the sections do not fit either, or there was only one.
        """
        ended = Counter[Question[AnswerSchema]]()
        try:
            for index, question, note in self._answers(sections, questions, deadline):
                ended[question] += 1
                yield index, question, note
            self._batch_limit.reset_failures()
            return
        except RuntimeError as error:
            if not is_out_of_memory(error):
                raise
        left = [question for question in questions if ended[question] < len(sections)]
        # Outside the except block, because the traceback references the tensors of the failed batch.
        half = self._batch_limit.halve(len(sections), f"sections of {sections[0].length_s:.0f} s")
        for first, part in ((0, sections[:half]), (half, sections[half:])):
            for index, question, note in self.ask_about(part, left, deadline):
                yield first + index, question, note

    def remembering(self, encodings: EncodingStore, weights: str) -> "LocalBackend":
        """Return a backend on the same model that keeps the encodings of sections, for those weights."""
        other = copy(self)
        other._encode = kept_encoder(self.model, encodings, weights)
        return other

    @property
    def rows_at_once(self) -> int:
        """Number of sections of equal shape in one batch."""
        return self._batch_limit.size

    def _answers(
        self, sections: Sequence[Section], questions: Sequence[Question[AnswerSchema]], deadline: Deadline
    ) -> Iterator[tuple[int, Question[AnswerSchema], Note[AnswerSchema]]]:
        heard = [self._encode(section.samples, deadline) for section in sections]
        conversation = self.model.start_conversation(heard, deadline)
        for first in range(0, len(questions), QUESTIONS_AT_ONCE):
            together = questions[first : first + QUESTIONS_AT_ONCE]
            requests = [self._request(conversation, question, len(sections)) for question in together]
            for section, index, answer in conversation.answers(requests, deadline):
                yield section, together[index], _note(together[index], answer)

    def _request(self, conversation: AudioConversation, question: Question[AnswerSchema], sections: int) -> Request:
        # The context may limit the tokens of a retry; the tokens of a usual answer must fit.
        limit = max(question.room_tokens, min(_limit(question), conversation.room_tokens(question.text)))
        if question.is_transcription:
            return Request(tuple(self.model.transcription(question.language)), limit)
        constraint = self.model.grammars.start(question.shape.schema_to_follow(), sections)
        return Request(tuple(self.model.question(question.text)), limit, constraint)

    def ask(self, question: Question[S], deadline: Deadline) -> Note[S]:
        """Return the answer to a question without audio."""
        constraint = self.model.grammars.start(question.shape.schema_to_follow(), 1)
        return _note(question, self.model.answer(question.text, _limit(question), constraint, deadline))

    def count_tokens(self, text: str) -> int:
        """Return the number of tokens in a text."""
        return len(self.model.encode(text))


def _limit(question: Question[S]) -> int:
    # A retry would repeat the tokens of greedy decoding, so the answer continues up to the limit of a retry.
    return 2 * question.room_tokens


def _note(question: Question[S], answer: Answer) -> Note[S]:
    if question.is_transcription:
        return Note(question.shape.model_validate({"text": answer.text}), answer.truncated)
    found = read(question.shape, answer.text, truncated=answer.truncated)
    if found is None and not answer.truncated:
        raise EngineError(f"A guided answer does not validate ({answer.text[:80]!r}); this is a defect in Duet.")
    return Note(found or question.shape(), answer.truncated)
