"""The Voxtral analyst: splits streamed audio into sections and queries a backend about each."""

from collections.abc import Callable, Sequence
from pathlib import Path

from pipeline.results.first_words import FirstWords
from pipeline.types import NO_CONTEXT, AlternativeTranscript, Analysis, Context, CustomAnswer, Options, TimeSpan
from workers.audio.audio_file import AudioFile
from workers.engine import Checkpoints, EncodingStore, Report, SpokenChapter
from workers.voxtral.answer_cache import CachedAnswers
from workers.voxtral.answer_schemas import AnswerSchema, Transcribed
from workers.voxtral.assembly import Part, assemble, check_some_answered, own_answer
from workers.voxtral.backend import AudioBackend
from workers.voxtral.deadline import Deadline
from workers.voxtral.headings import heading, titled
from workers.voxtral.introduced import introduced, named
from workers.voxtral.prompts import Note, Question, about_sections, own, transcription
from workers.voxtral.sections import CHUNK_S, Section, batches, cut, excerpts, section_length_s

SECTION_BUDGET_S = 1800.0
"""Time limit per section in seconds; answers that exceed it are truncated."""


class VoxtralAnalyst:
    """Analyst that uses Voxtral through a backend, local or remote."""

    def __init__(
        self,
        backend: AudioBackend,
        *,
        name: str,
        section_s: float,
        section_budget_s: float = SECTION_BUDGET_S,
        digest: str = "",
        device: str = "",
    ) -> None:
        self.model = name
        self.digest = digest
        self.device = device
        self._backend = backend
        self.section_s = section_s
        self._budget_s = section_budget_s

    def analyze(
        self,
        audio: Path,
        options: Options,
        report: Report,
        checkpoints: Checkpoints | None = None,
        is_cancelled: Callable[[], bool] | None = None,
        context: Context = NO_CONTEXT,
    ) -> Analysis:
        """Return the analysis of a whole file; at most `rows_at_once` sections are in memory at a time.

        Raises:
            AudioError: the file has no decodable audio.
            CancelledError: `is_cancelled` returned True; finished answers are in `checkpoints`.
            EngineError: the device or the server fails.
        """
        file = AudioFile(audio)
        length_s = section_length_s(file.expected_s, self.section_s)
        cached = self._cached(self._backend, checkpoints, context)
        parts = self._parts(file, length_s, about_sections(options, length_s), cached, report, is_cancelled)
        deadline = Deadline(self._budget_s, is_cancelled)
        return assemble(parts, options, length_s, cached, self.model, deadline)

    def answer(
        self,
        audio: Path,
        question: str,
        report: Report,
        encodings: EncodingStore,
        checkpoints: Checkpoints | None = None,
        is_cancelled: Callable[[], bool] | None = None,
        context: Context = NO_CONTEXT,
    ) -> CustomAnswer:
        """Return the answer to one question about a whole file, with sentences that say it, without times.

        Raises:
            AudioError: the file has no decodable audio.
            CancelledError: `is_cancelled` returned True; finished answers are in `checkpoints`.
            EngineError: the device or the server fails.
        """
        file = AudioFile(audio)
        length_s = section_length_s(file.expected_s, self.section_s)
        cached = self._cached(self._backend.remembering(encodings, self._weights), checkpoints, context)
        parts = self._parts(file, length_s, [own(question)], cached, report, is_cancelled)
        notes = [part.notes for part in parts if part.notes is not None]
        check_some_answered(notes)
        answer, _ = own_answer(notes, question, cached, Deadline(self._budget_s, is_cancelled))
        return answer

    def title_chapters(
        self,
        analysis: Analysis,
        chapters: Sequence[SpokenChapter],
        checkpoints: Checkpoints | None = None,
        is_cancelled: Callable[[], bool] | None = None,
    ) -> Analysis:
        """Return the analysis with chapters titled from their sentences.

        Raises:
            CancelledError: `is_cancelled` returned True; finished answers are in `checkpoints`.
            EngineError: the device or the server fails.
        """
        cached = self._cached(self._backend, checkpoints)
        deadline = Deadline(self._budget_s, is_cancelled)
        notes = [heading(cached, sentences, deadline) for _, sentences in chapters]
        return analysis.model_copy(
            update={
                "chapters": tuple(
                    titled(start_s, note.answer, sentences)
                    for (start_s, sentences), note in zip(chapters, notes, strict=True)
                ),
                "chapters_source": "voxtral" if chapters else None,
                "truncated": analysis.truncated or any(note.truncated for note in notes),
            }
        )

    def name_speakers(
        self,
        analysis: Analysis,
        speakers: Sequence[FirstWords],
        checkpoints: Checkpoints | None = None,
        is_cancelled: Callable[[], bool] | None = None,
        context: Context = NO_CONTEXT,
    ) -> Analysis:
        """Return the analysis with names of speakers, whose quotes are not checked yet.

        Raises:
            CancelledError: `is_cancelled` returned True; finished answers are in `checkpoints`.
            EngineError: the device or the server fails.
        """
        cached = self._cached(self._backend, checkpoints, context)
        note = introduced(cached, speakers, Deadline(self._budget_s, is_cancelled))
        return analysis.model_copy(update={"speakers": named(note.answer, speakers)})

    def transcribe(
        self,
        audio: Path,
        stretches: Sequence[TimeSpan],
        options: Options,
        checkpoints: Checkpoints | None = None,
        is_cancelled: Callable[[], bool] | None = None,
    ) -> tuple[AlternativeTranscript, ...]:
        """Return transcripts of some spans, in batches of `rows_at_once`; truncated transcripts are left out.

        Raises:
            AudioError: the file has no decodable audio.
            CancelledError: `is_cancelled` returned True; finished answers are in `checkpoints`.
            EngineError: the device or the server fails.
        """
        question = transcription(options, CHUNK_S)
        cached = self._cached(self._backend, checkpoints)
        found: list[Note[Transcribed]] = []
        for batch in batches(excerpts(AudioFile(audio).blocks(), stretches), lambda: self._backend.rows_at_once):
            deadline = Deadline(self._budget_s, is_cancelled)
            found += [known.get(question) for known in cached.ask_about(batch, [question], deadline)]
        return tuple(
            AlternativeTranscript(start_s=span.start_s, end_s=span.end_s, segments=span.segments, text=note.answer.text)
            for span, note in zip(stretches, found, strict=False)
            if not note.truncated
        )

    def _parts(
        self,
        file: AudioFile,
        length_s: float,
        questions: Sequence[Question[AnswerSchema]],
        cached: CachedAnswers,
        report: Report,
        is_cancelled: Callable[[], bool] | None,
    ) -> list[Part]:
        """Return the answers about each section of a file."""
        report(0.0, file.expected_s)
        parts: list[Part] = []

        def analyze_batch(batch: Sequence[Section]) -> list[Part]:
            return _analyze_batch(batch, questions, cached, Deadline(self._budget_s * len(batch), is_cancelled))

        # `map` releases a batch before the next one is decoded; a loop variable would keep it alive.
        for done in map(analyze_batch, batches(cut(file.blocks(), length_s), lambda: self._backend.rows_at_once)):
            parts += done
            done_s = parts[-1].start_s + parts[-1].length_s
            report(done_s, max(file.expected_s, done_s))
        return parts

    @property
    def _weights(self) -> str:
        return f"{self.model}@{self.digest}"

    def _cached(
        self, backend: AudioBackend, checkpoints: Checkpoints | None, context: Context = NO_CONTEXT
    ) -> CachedAnswers:
        return CachedAnswers(backend, self._weights, checkpoints, context)


def _analyze_batch(
    batch: Sequence[Section], questions: Sequence[Question[AnswerSchema]], cached: CachedAnswers, deadline: Deadline
) -> list[Part]:
    sounding = [section for section in batch if not section.is_silent]
    notes = iter(cached.ask_about(sounding, questions, deadline) if sounding else [])
    return [Part(section.start_s, section.length_s, None if section.is_silent else next(notes)) for section in batch]
