"""The figures of one audio file: its transcription and its analysis against the reference."""

import logging
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from jsonschema import Draft202012Validator

from pipeline.errors import DuetError
from pipeline.types import Analysis, Options, Segment, TimeSpan, Transcript
from tests.quality.figures import spelling, word_errors
from tests.quality.references import Reference, audio_of
from workers.audio.audio_file import AudioFile
from workers.engine import Analyst
from workers.outline import transcript_parts
from workers.voxtral import remote_backend
from workers.voxtral.answer_schemas import GUIDED
from workers.voxtral.sections import CHUNK_S, cut


class AnswerCounter:
    """Checkpoints that keep nothing and count: an analyst looks for each answer there, and saves complete ones."""

    def __init__(self) -> None:
        self.asked: set[str] = set()
        self.valid: set[str] = set()
        self._schemas = {frozenset(it.model_fields): Draft202012Validator(it.schema_to_follow()) for it in GUIDED}

    def load(self, key: str) -> None:
        self.asked.add(key)

    def save(self, key: str, value: dict[str, Any]) -> None:
        if self._schemas[frozenset(value)].is_valid(value):
            self.valid.add(key)


class RepairCounter(logging.Handler):
    """Counts the answers of a server that did not keep to their schema and were repaired."""

    repaired = 0

    def emit(self, record: logging.LogRecord) -> None:
        self.repaired += record.msg == remote_backend.REPAIRED


def measure(analyst: Analyst, reference: Reference, folder: Path) -> dict[str, Any]:
    """Return the figures of a file; `report.SUMMED` has the names of those that are numbers.

    What fails is a sentence in `failed`, and the rest is measured all the same. A part of the audio, with `--minutes`,
    is written to `folder`.
    """
    figures: dict[str, Any] = {"file": reference.name, "failed": [], "segments": [], "otherwise": {}}
    try:
        audio = audio_of(reference, folder)
    except DuetError as error:
        return figures | {"failed": [str(error)]}
    for name, step in (("transcribe_s", _transcribe), ("analyze_s", _analyze)):
        began = time.perf_counter()
        try:
            step(analyst, reference, audio, figures)
        except DuetError as error:
            figures["failed"].append(str(error))
        figures[name] = round(time.perf_counter() - began, 2)
    return figures


def _transcribe(analyst: Analyst, reference: Reference, audio: Path, figures: dict[str, Any]) -> None:
    figures["audio_s"], spans = _spans(audio)
    readings = analyst.transcribe(audio, spans, Options())
    text = "\n".join(reading.text for reading in readings)
    figures |= {"spans": len(spans), "spans_complete": len(readings), "segments": word_errors(reference.texts, text)}
    _count_names(figures, "transcription", reference, text)


def _analyze(analyst: Analyst, reference: Reference, audio: Path, figures: dict[str, Any]) -> None:
    answers = AnswerCounter()
    with _repairs() as repairs:
        try:
            analysis = analyst.analyze(audio, Options(), lambda done_s, total_s: None, answers)
            analyst.title_chapters(analysis, _chapters(reference), answers)
        finally:
            figures |= {"answers": len(answers.asked), "answers_valid": len(answers.valid)}
            figures["answers_repaired"] = repairs.repaired
    _count_names(figures, "analysis", reference, _text_of(analysis))


@contextmanager
def _repairs() -> Iterator[RepairCounter]:
    logger, counter = logging.getLogger(remote_backend.__name__), RepairCounter()
    level = logger.level
    logger.addHandler(counter)
    logger.setLevel(logging.INFO)
    try:
        yield counter
    finally:
        logger.removeHandler(counter)
        logger.setLevel(level)


def _spans(audio: Path) -> tuple[float, list[TimeSpan]]:
    """Return the seconds of audio, and spans of a chunk at most that have sound."""
    length_s, spans = 0.0, []
    for section in cut(AudioFile(audio).blocks(), CHUNK_S):
        length_s = section.start_s + section.length_s
        if not section.is_silent:
            spans.append(TimeSpan(start_s=section.start_s, end_s=length_s))
    return round(length_s, 2), spans


def _chapters(reference: Reference) -> list[tuple[float, list[str]]]:
    said = reference.segments
    transcript = Transcript(
        text=" ".join(reference.texts),
        language="en",
        segments=tuple(Segment(id=n, start_s=it.start, end_s=it.end, text=it.text) for n, it in enumerate(said)),
        audio_s=said[-1].end,
        model="reference",
    )
    return [(part.start_s, [sentence.text for sentence in part.sentences]) for part in transcript_parts(transcript)]


def _text_of(analysis: Analysis) -> str:
    texts = [analysis.title, analysis.summary_sentence, analysis.summary, *analysis.topics]
    texts += [point.text for point in analysis.key_points]
    texts += [part for task in analysis.action_items for part in (task.text, task.owner or "")]
    texts += [part for named in analysis.people_and_organisations for part in (named.name, named.role)]
    texts += [part for quote in analysis.quotes for part in (quote.text, quote.speaker or "")]
    return "\n".join(texts)


def _count_names(figures: dict[str, Any], place: str, reference: Reference, text: str) -> None:
    found = spelling(reference.texts, text)
    for name, names in (("right", found.right), ("otherwise", found.otherwise), ("absent", found.absent)):
        figures[f"{place}_{name}"] = len(names)
    figures["otherwise"][place] = found.otherwise
