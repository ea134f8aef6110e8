"""The analyst: cuts an episode into sections and has each asked about, while the audio streams by."""

from collections.abc import Callable, Sequence
from pathlib import Path

from pipeline.types import AlternativeTranscript, Analysis, Options, TimeSpan
from workers.audio.audio_file import AudioFile
from workers.engine import Checkpoints, Report
from workers.voxtral.answer_cache import CachedAnswers
from workers.voxtral.answer_schemas import AnswerSchema, Transcribed
from workers.voxtral.assembly import Part, assemble
from workers.voxtral.backend import AudioBackend
from workers.voxtral.deadline import Deadline
from workers.voxtral.prompts import Note, Question, about_sections, transcription
from workers.voxtral.sections import CHUNK_S, Section, batches, cut, excerpts, section_length_s

SECTION_BUDGET_S = 1800.0
"""After so many seconds at one section its answers are cut: better short than never."""


class VoxtralAnalyst:
    """Voxtral, wherever it runs."""

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
        self._ears = backend
        self.section_s = section_s
        self._budget_s = section_budget_s

    def analyze(
        self,
        audio: Path,
        options: Options,
        report: Report,
        checkpoints: Checkpoints | None = None,
        is_cancelled: Callable[[], bool] | None = None,
    ) -> Analysis:
        """Return the analysis of a whole file; at most `rows_at_once` sections are held at a time.

        Raises:
            AudioError: the file holds no audio that can be decoded.
            CancelledError: `is_cancelled` said so; what is finished lies in `checkpoints`.
            EngineError: the device or the server cannot do it.
        """
        file = AudioFile(audio)
        length_s = section_length_s(file.expected_s, self.section_s)
        questions = about_sections(options, length_s)
        resumed = CachedAnswers(self._ears, f"{self.model}@{self.digest}", checkpoints)
        report(0.0, file.expected_s)
        parts: list[Part] = []

        def heard(batch: Sequence[Section]) -> list[Part]:
            return _heard(batch, questions, resumed, Deadline(self._budget_s * len(batch), is_cancelled))

        # `map` has let go of a batch when the next one is decoded; the variable of a loop would still hold it.
        for done in map(heard, batches(cut(file.blocks(), length_s), lambda: self._ears.rows_at_once)):
            parts += done
            done_s = parts[-1].start_s + parts[-1].length_s
            report(done_s, max(file.expected_s, done_s))
        deadline = Deadline(self._budget_s, is_cancelled)
        return assemble(parts, options, length_s, resumed, self.model, deadline)

    def transcribe(
        self,
        audio: Path,
        stretches: Sequence[TimeSpan],
        options: Options,
        checkpoints: Checkpoints | None = None,
        is_cancelled: Callable[[], bool] | None = None,
    ) -> tuple[AlternativeTranscript, ...]:
        """Return what is said in some stretches, `rows_at_once` of them side by side; those without an end none.

        Raises:
            AudioError: the file holds no audio that can be decoded.
            CancelledError: `is_cancelled` said so; what is finished lies in `checkpoints`.
            EngineError: the device or the server cannot do it.
        """
        question = transcription(options, CHUNK_S)
        resumed = CachedAnswers(self._ears, f"{self.model}@{self.digest}", checkpoints)
        found: list[Note[Transcribed]] = []
        for batch in batches(excerpts(AudioFile(audio).blocks(), stretches), lambda: self._ears.rows_at_once):
            deadline = Deadline(self._budget_s, is_cancelled)
            found += [known.get(question) for known in resumed.ask_about(batch, [question], deadline)]
        return tuple(
            AlternativeTranscript(start_s=it.start_s, end_s=it.end_s, segments=it.segments, text=note.answer.text)
            for it, note in zip(stretches, found, strict=False)
            if not note.truncated
        )


def _heard(
    batch: Sequence[Section], questions: Sequence[Question[AnswerSchema]], resumed: CachedAnswers, deadline: Deadline
) -> list[Part]:
    sounding = [section for section in batch if not section.is_silent]
    notes = iter(resumed.ask_about(sounding, questions, deadline) if sounding else [])
    return [Part(section.start_s, section.length_s, None if section.is_silent else next(notes)) for section in batch]
