"""The analyst: cuts an episode into sections and has each asked about, while the audio streams by."""

from collections.abc import Callable, Sequence
from pathlib import Path

from pipeline.types import Analysis, Options
from workers.audio import AudioFile
from workers.engines import Checkpoints, Report
from workers.voxtral.answers import Shape
from workers.voxtral.assembly import Part, assemble
from workers.voxtral.checkpoints import Resumed
from workers.voxtral.ears import Ears
from workers.voxtral.questions import Question, about_sections
from workers.voxtral.sections import Section, batches, cut, section_length_s
from workers.voxtral.watch import Watch

SECTION_BUDGET_S = 1800.0
"""After so many seconds at one section its answers are cut: better short than never."""


class VoxtralAnalyst:
    """Voxtral, wherever it runs."""

    def __init__(self, ears: Ears, *, name: str, section_s: float, section_budget_s: float = SECTION_BUDGET_S) -> None:
        self.model = name
        self._ears = ears
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
        resumed = Resumed(self._ears, self.model, checkpoints)
        report(0.0, file.expected_s)
        parts: list[Part] = []
        for batch in batches(cut(file.blocks(), length_s), self._ears.rows_at_once):
            watch = Watch(self._budget_s * len(batch), is_cancelled)
            parts += _heard(batch, questions, resumed, watch)
            done_s = parts[-1].start_s + parts[-1].length_s
            report(done_s, max(file.expected_s, done_s))
        watch = Watch(self._budget_s, is_cancelled)
        return assemble(parts, options, length_s, self._ears, self.model, watch)


def _heard(
    batch: Sequence[Section], questions: Sequence[Question[Shape]], resumed: Resumed, watch: Watch
) -> list[Part]:
    sounding = [section for section in batch if not section.is_silent]
    notes = iter(resumed.ask_about(sounding, questions, watch) if sounding else [])
    return [Part(section.start_s, section.length_s, None if section.is_silent else next(notes)) for section in batch]
