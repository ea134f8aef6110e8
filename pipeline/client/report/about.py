"""The content of an episode's folder, for its row in the report."""

import json
from collections.abc import Iterable
from dataclasses import dataclass

from pipeline.client.episode_row import EpisodeRow
from pipeline.errors import DuetError
from pipeline.storage import Storage, open_storage
from pipeline.types.graphemes import shortened
from pipeline.types.text import safe_line

ANALYSIS, TABLE = "analysis.json", "transcript.tsv"
SUMMARY_CHARACTERS = 240
MOST_TOPICS = 4


@dataclass(frozen=True)
class About:
    """The subject of an episode; its texts are one line each."""

    files: frozenset[str] = frozenset()
    """Names of the files in its folder."""
    summary: str = ""
    topics: tuple[str, ...] = ()
    is_quoted: bool = False
    """Whether the summary is a sentence of the transcript."""
    words: int | None = None


def read_about(row: EpisodeRow) -> About:
    """Return the subject in an episode's folder; empty if it cannot be read, for a report does without."""
    try:
        storage = open_storage(row.uri) if row.uri else None
        return _about(storage, frozenset(storage.list())) if storage else About()
    except DuetError:
        return About()


def _about(storage: Storage, files: frozenset[str]) -> About:
    found = _analysis(storage.get(ANALYSIS)) if ANALYSIS in files else {}
    summary = safe_line(str(found.get("summary_sentence") or found.get("summary") or ""))
    return About(
        files=files,
        summary=shortened(summary, SUMMARY_CHARACTERS),
        topics=tuple(safe_line(str(it)) for it in _listed(found.get("topics"))[:MOST_TOPICS]),
        is_quoted=found.get("source") == "outline",
        words=_words(storage.get(TABLE)) if TABLE in files else None,
    )


def _analysis(data: bytes) -> dict[str, object]:
    try:
        found = json.loads(data)
    except ValueError:
        return {}  # a file that was changed by hand
    return found if isinstance(found, dict) else {}


def _listed(value: object) -> list[object]:
    return list(value) if isinstance(value, list) else []


def _words(table: bytes) -> int:
    """Count the words of a transcript as TSV, which has neither times nor names in its third column."""
    return sum(len(line.partition(b"\t")[2].partition(b"\t")[2].split()) for line in _lines(table))


def _lines(table: bytes) -> Iterable[bytes]:
    return table.splitlines()[1:]
