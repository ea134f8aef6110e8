"""A full-text index of all transcripts (SQLite FTS5), filled on search."""

import logging
import sqlite3
import time
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from threading import Lock

from pipeline.errors import DuetError, StorageError, TransientError
from pipeline.http.job_responses import has_transcript
from pipeline.http.search_words import MARKS, question
from pipeline.results.manifest import TRANSCRIPT
from pipeline.results.merge import read_shown
from pipeline.state.job_store import INDEX, JobStore
from pipeline.state.renamed import renamed_at
from pipeline.storage import open_storage
from pipeline.types.records import JobRecord

logger = logging.getLogger(__name__)
FILL_S = 1.5
"""Seconds that one search may spend on reading new transcripts."""
AGAIN_S = 60.0
"""Seconds after which an unreadable transcript is tried again, and a present one is looked up again."""
PAGE = 50
THREADS = 8
FORM = 3
"""Version of the tables; those of another version are rebuilt."""
SETTLED, OPEN = 1, 0
Row = tuple[float, str, str | None]
"""Start in seconds, text and speaker of a segment."""


NEWEST = """job IN (
    SELECT job FROM (SELECT job, max(submitted_at) FROM jobs WHERE last >= first GROUP BY substr(job, 1, 16))
)"""
"""The newest job of each episode, with whose id a job's begins; SQLite takes `job` from the row of the maximum."""
TABLES = f"""
    DROP TABLE IF EXISTS jobs;
    DROP TABLE IF EXISTS said;
    CREATE TABLE jobs (
        job TEXT PRIMARY KEY, submitted_at REAL NOT NULL, version TEXT NOT NULL, is_settled INTEGER NOT NULL,
        uri TEXT NOT NULL, first INTEGER NOT NULL, last INTEGER NOT NULL
    );
    CREATE VIRTUAL TABLE said USING fts5 (
        text, job UNINDEXED, start_s UNINDEXED, speaker UNINDEXED, tokenize = "unicode61 remove_diacritics 2"
    );
    PRAGMA user_version = {FORM};
"""


@dataclass(frozen=True)
class Hit:
    """A segment that contains the words."""

    job: str
    start_s: float
    excerpt: str
    """The text there, with `MARKS` around the found words."""
    speaker: str | None = None
    """Label of the speaker; None if the speakers were not told apart."""


class TranscriptIndex:
    """The index of one machine, in its cache; rebuilt if it is lost.

    Its transcripts are listed in the job store and still in storage; others are removed before a search returns them.
    """

    def __init__(self, file: Path) -> None:
        self._lock = Lock()
        self._tried_at: dict[str, float] = {}
        """Time of the last failed read of a transcript that may be readable later."""
        self._seen_at: dict[str, float] = {}
        """Time when a transcript was last looked up in storage."""
        file.parent.mkdir(parents=True, exist_ok=True)
        self._database = sqlite3.connect(file, timeout=30.0, isolation_level=None, check_same_thread=False)
        # Removed text is overwritten, not only unlinked.
        self._database.executescript("PRAGMA journal_mode = WAL; PRAGMA synchronous = OFF; PRAGMA secure_delete = ON;")
        if self._database.execute("PRAGMA user_version").fetchone()[0] != FORM:
            self._database.executescript(TABLES)
        with suppress(sqlite3.OperationalError):  # SQLite before 3.42 retains removed words until segments are merged
            self._database.execute("INSERT INTO said (said, rank) VALUES ('secure-delete', 1)")

    def fill(self, job_store: JobStore) -> int:
        """Read new transcripts for at most `FILL_S` and return the number of unread ones."""
        with self._lock:
            until = time.monotonic() + FILL_S
            listed = dict(job_store.redis.zrange(INDEX, 0, -1, desc=True, withscores=True))
            known = {
                job: (at, is_settled)
                for job, at, is_settled in self._database.execute("SELECT job, submitted_at, is_settled FROM jobs")
            }
            self._drop(known.keys() - listed.keys())
            renamed = renamed_at(job_store.redis)
            new = [job for job, at in listed.items() if job in renamed or known.get(job) != (at, SETTLED)]
            return self._read(job_store, listed, new, until, renamed)

    def search(self, words: str, limit: int, offset: int = 0) -> tuple[int, list[Hit]]:
        """Return the number of places of all words, and some of them, best first; see `question` for the words.

        Of several jobs of the same audio, only the newest is searched.
        """
        if not (match := question(words)):
            return 0, []
        wanted = (
            "SELECT job, start_s, snippet(said, 0, ?, ?, '…', 24), speaker "
            f"FROM said WHERE said MATCH ? AND {NEWEST} ORDER BY rank LIMIT ? OFFSET ?"
        )
        with self._lock:
            while True:
                found = self._database.execute(wanted, (*MARKS, match, limit, offset)).fetchall()
                if not (gone := self._find_removed(sorted({job for job, *_ in found}))):
                    counted = f"SELECT count(*) FROM said WHERE said MATCH ? AND {NEWEST}"
                    count = self._database.execute(counted, (match,)).fetchone()[0]
                    return count, [Hit(job, float(start_s), *others) for job, start_s, *others in found]
                self._empty(gone)

    def drop(self, jobs: Iterable[str]) -> None:
        """Remove the rows of some jobs."""
        with self._lock:
            self._drop(jobs)

    def _read(
        self,
        job_store: JobStore,
        listed: dict[str, float],
        jobs: Sequence[str],
        until: float,
        renamed: dict[str, float],
    ) -> int:
        left = 0
        for first in range(0, len(jobs), PAGE):
            page = jobs[first : first + PAGE]
            known = self._versions(page)
            for job, record in zip(page, job_store.get_many(page), strict=True):
                if record is None or not (record.state.is_final or has_transcript(record)):
                    continue
                version = _version(record, renamed.get(job))
                if known.get(job) == version:
                    continue
                was_tried_just_now = time.monotonic() - self._tried_at.get(job, float("-inf")) < AGAIN_S
                if was_tried_just_now or time.monotonic() > until:
                    left += 1
                    continue
                try:
                    rows = _rows(record)
                except DuetError as error:
                    logger.warning("The transcript of job %s cannot be searched yet: %s", job, error)
                    self._tried_at[job] = time.monotonic()
                    left += 1
                    if isinstance(error, TransientError):
                        until = 0.0  # storage that does not answer is not asked for the rest
                else:
                    self._tried_at.pop(job, None)
                    self._take(record, listed[job], version, rows)
        return left

    def _versions(self, jobs: Sequence[str]) -> dict[str, str]:
        marks = ", ".join("?" * len(jobs))
        return dict(self._database.execute(f"SELECT job, version FROM jobs WHERE job IN ({marks})", jobs))

    def _take(self, record: JobRecord, submitted_at: float, version: str, rows: Sequence[Row]) -> None:
        job = record.spec.job
        with self._database:
            self._database.execute("BEGIN")
            self._delete(job)
            first = self._database.execute("SELECT coalesce(max(rowid), 0) + 1 FROM said").fetchone()[0]
            self._database.executemany(
                "INSERT INTO said (rowid, text, job, start_s, speaker) VALUES (?, ?, ?, ?, ?)",
                [(first + index, text, job, start_s, speaker) for index, (start_s, text, speaker) in enumerate(rows)],
            )
            is_settled = SETTLED if record.state.is_final else OPEN
            kept = (job, submitted_at, version, is_settled, record.spec.uri, first, first + len(rows) - 1)
            self._database.execute("INSERT INTO jobs VALUES (?, ?, ?, ?, ?, ?, ?)", kept)
        self._seen_at[job] = time.monotonic()

    def _find_removed(self, jobs: Sequence[str]) -> list[str]:
        """Return the jobs whose transcript is no longer in storage."""
        since = time.monotonic() - AGAIN_S
        due = [job for job in jobs if self._seen_at.get(job, float("-inf")) < since]
        uris = [self._database.execute("SELECT uri FROM jobs WHERE job = ?", (job,)).fetchone()[0] for job in due]
        with ThreadPoolExecutor(THREADS) as threads:
            is_gone = list(threads.map(_is_gone, uris))
        self._seen_at |= {job: time.monotonic() for job in due}
        return [job for job, gone in zip(due, is_gone, strict=True) if gone]

    def _empty(self, jobs: Iterable[str]) -> None:
        """Remove the rows of jobs whose transcript is gone; the jobs stay listed, so that they are not read again."""
        with self._database:
            self._database.execute("BEGIN")
            for job in jobs:
                self._delete_rows(job)
                self._database.execute("UPDATE jobs SET first = 1, last = 0 WHERE job = ?", (job,))

    def _drop(self, jobs: Iterable[str]) -> None:
        with self._database:
            self._database.execute("BEGIN")
            for job in jobs:
                self._delete(job)
                self._seen_at.pop(job, None)
                self._tried_at.pop(job, None)

    def _delete(self, job: str) -> None:
        self._delete_rows(job)
        self._database.execute("DELETE FROM jobs WHERE job = ?", (job,))

    def _delete_rows(self, job: str) -> None:
        for first, last in self._database.execute("SELECT first, last FROM jobs WHERE job = ?", (job,)).fetchall():
            self._database.execute("DELETE FROM said WHERE rowid BETWEEN ? AND ?", (first, last))


def _version(record: JobRecord, renamed_at_s: float | None) -> str:
    """Return a version of the transcript, written when the fast leg ends, the job ends, and speakers are named."""
    ended_at = record.ended_at if record.state.is_final else ""
    return f"{record.spec.attempt} {record.submitted_at} {ended_at} {renamed_at_s or ''}".strip()


def _rows(record: JobRecord) -> list[Row]:
    """Return the transcript's texts with start times and speakers; empty if it is missing or damaged.

    Raises:
        StorageError, TransientError: storage refuses, or does not answer now.
    """
    if not has_transcript(record):
        return []
    storage = open_storage(record.spec.uri)
    try:
        transcript = read_shown(record.spec, storage)
    except ValueError:
        return []
    except StorageError:
        if storage.exists(TRANSCRIPT):
            raise
        return []
    labels = transcript.labels
    return [(it.start_s, it.text.strip(), labels.get(it.speaker or "")) for it in transcript.spoken]


def _is_gone(uri: str) -> bool:
    """Whether a transcript was removed; False if storage cannot be read."""
    with suppress(DuetError):
        return not open_storage(uri).exists(TRANSCRIPT)
    return False
