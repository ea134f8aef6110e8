"""What was said in all episodes, to be searched: SQLite's full-text index, filled as it is asked."""

import sqlite3
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from threading import Lock

from pipeline.errors import DuetError
from pipeline.http.views import has_transcript
from pipeline.ledger import INDEX, JobRecord, Ledger
from pipeline.merge import read_transcript
from pipeline.storage import open_storage

FILL_S = 1.5
"""How long one question may spend on reading transcripts that are new."""
PAGE = 50
MARKS = ("\x02", "\x03")
"""Around each word that was found, in an excerpt."""


NO_WORD = str.maketrans("", "", '"\0')
"""What would end a word of a question to SQLite."""


@dataclass(frozen=True)
class Hit:
    """A place where something was said."""

    job: str
    start_s: float
    excerpt: str
    """What is said there, `MARKS` around the words that were looked for."""


class TranscriptIndex:
    """The index of one machine, in its cache; made again where it is lost."""

    def __init__(self, file: Path) -> None:
        self._lock = Lock()
        file.parent.mkdir(parents=True, exist_ok=True)
        self._database = sqlite3.connect(file, timeout=30.0, isolation_level=None, check_same_thread=False)
        self._database.executescript(
            """
            PRAGMA journal_mode = WAL;
            PRAGMA synchronous = OFF;
            CREATE TABLE IF NOT EXISTS jobs (
                job TEXT PRIMARY KEY, submitted_at REAL NOT NULL, first INTEGER NOT NULL, last INTEGER NOT NULL
            );
            CREATE VIRTUAL TABLE IF NOT EXISTS said USING fts5 (
                text, job UNINDEXED, start_s UNINDEXED, tokenize = "unicode61 remove_diacritics 2"
            );
            """
        )

    def fill(self, ledger: Ledger) -> int:
        """Read transcripts that are new, for a while, and return how many are left to be read."""
        with self._lock:
            until = time.monotonic() + FILL_S
            listed = ledger.redis.zrange(INDEX, 0, -1, desc=True, withscores=True)
            known = dict(self._database.execute("SELECT job, submitted_at FROM jobs"))
            new = [(job, at) for job, at in listed if known.get(job) != at]
            left = 0
            for first in range(0, len(new), PAGE):
                page = new[first : first + PAGE]
                for (job, at), record in zip(page, ledger.get_many([job for job, _ in page]), strict=True):
                    if record is None or not (record.state.is_final or has_transcript(record)):
                        continue
                    if time.monotonic() > until:
                        left += 1
                    else:
                        self._take(job, at, record)
            return left

    def search(self, words: str, limit: int) -> list[Hit]:
        """Return where all of some words are said, the best places first; the last word may be unfinished."""
        terms = [f'"{word}"' for it in words.split() if (word := it.translate(NO_WORD))]
        if not terms:
            return []
        question = (
            "SELECT job, start_s, snippet(said, 0, ?, ?, '…', 24) FROM said WHERE said MATCH ? ORDER BY rank LIMIT ?"
        )
        with self._lock:
            found = self._database.execute(question, (*MARKS, f"{' '.join(terms)}*", limit)).fetchall()
        return [Hit(job, float(start_s), excerpt) for job, start_s, excerpt in found]

    def _take(self, job: str, submitted_at: float, record: JobRecord) -> None:
        rows = list(_rows(record))
        with self._database:
            self._database.execute("BEGIN")
            for first, last in self._database.execute("SELECT first, last FROM jobs WHERE job = ?", (job,)).fetchall():
                self._database.execute("DELETE FROM said WHERE rowid BETWEEN ? AND ?", (first, last))
            first = self._database.execute("SELECT coalesce(max(rowid), 0) + 1 FROM said").fetchone()[0]
            self._database.executemany(
                "INSERT INTO said (rowid, text, job, start_s) VALUES (?, ?, ?, ?)",
                [(first + index, text, job, start_s) for index, (start_s, text) in enumerate(rows)],
            )
            last = first + len(rows) - 1
            self._database.execute("INSERT OR REPLACE INTO jobs VALUES (?, ?, ?, ?)", (job, submitted_at, first, last))


def _rows(record: JobRecord) -> Iterator[tuple[float, str]]:
    """Yield what is said, with its times; nothing where no transcript can be read."""
    if not has_transcript(record):
        return
    try:
        transcript = read_transcript(record.spec, open_storage(record.spec.uri))
    except (DuetError, ValueError):
        return  # it was removed or is damaged: there is nothing to be found in it
    for segment in transcript.spoken:
        yield segment.start_s, segment.text.strip()
