"""`duet run`: everything below some paths, from submitting to the last result."""

import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

from pipeline.api import submit
from pipeline.errors import AudioError, BrokerError, DuetError
from pipeline.job import Job
from pipeline.ledger import JobRecord, Ledger
from pipeline.merge import read_manifest
from pipeline.storage import open_storage
from pipeline.types import EpisodeResult, JobState, Options

HASHING_THREADS = 2


@dataclass
class Row:
    """One episode of a run: what was asked for and what is known of it by now."""

    source: str
    job: Job | None = None
    record: JobRecord | None = None
    result: EpisodeResult | None = None
    error: str = ""
    size_bytes: int = 0
    was_done: bool = False
    """Whether it was complete before this run."""

    @property
    def state(self) -> JobState | None:
        """Where the episode is; None before it is submitted."""
        if self.error:
            return JobState.FAILED
        if self.result:
            return self.result.state
        return self.record.state if self.record else None

    @property
    def is_over(self) -> bool:
        """Whether nothing more will happen to it."""
        return bool(self.state and self.state.is_final)

    @property
    def audio_s(self) -> float | None:
        """Length in seconds, when it is known."""
        return self.result.audio_s if self.result else self.record.audio_s if self.record else None

    @property
    def transcript_s(self) -> float | None:
        """Seconds from submitting to the transcript."""
        if not self.record or not self.record.transcribed_at:
            return None
        return self.record.transcribed_at - self.record.submitted_at

    @property
    def total_s(self) -> float | None:
        """Seconds from submitting to the end."""
        return self.record.ended_at - self.record.submitted_at if self.record and self.record.ended_at else None

    @property
    def reason(self) -> str:
        """What is missing or went wrong."""
        return self.error or (self.result.reason if self.result else self.record.reason if self.record else "")

    def to_json(self) -> dict[str, object]:
        """Return the line that `--json` prints."""
        return {
            "episode": self.job.spec.episode.id if self.job else None,
            "job": self.job.id if self.job else None,
            "source": self.source,
            "status": self.state.value if self.state else None,
            "audio_s": _rounded(self.audio_s),
            "transcript_s": _rounded(self.transcript_s),
            "total_s": _rounded(self.total_s),
            "uri": self.job.uri if self.job else None,
            "reason": self.reason,
        }


@dataclass
class Run:
    """Submits episodes and follows them to their ends."""

    sources: list[Path | AudioError]
    destination: str
    options: Options
    force: bool = False
    rows: list[Row] = field(init=False)
    is_submitted: bool = field(init=False, default=False)
    started_at: float = field(default_factory=time.time)

    def __post_init__(self) -> None:
        self.rows = [_row(source) for source in self.sources]

    @property
    def has_failures(self) -> bool:
        """Whether an episode failed, or was cancelled."""
        return any(row.state in (JobState.FAILED, JobState.CANCELLED) for row in self.rows)

    def check_destination(self) -> bool:
        """Whether the destination can be written; when not, every row says so."""
        try:
            open_storage(self.destination).check_writable()
        except DuetError as error:
            for row in self.rows:
                row.error = row.error or str(error)
            return False
        return True

    def submit_all(self) -> Iterator[Row]:
        """Submit each episode and yield its row; one that cannot be submitted never stops the rest.

        Raises:
            BrokerError: the broker does not answer; nothing of what follows could be submitted either.
        """
        with ThreadPoolExecutor(HASHING_THREADS) as threads:
            yield from threads.map(self._submit, [row for row in self.rows if not row.is_over])
        self.is_submitted = True

    def look(self) -> None:
        """Ask the ledger how every episode is that has not ended."""
        waiting = [row for row in self.rows if row.job and not row.is_over]
        records = self._ledger.get_many([row.job.id for row in waiting if row.job])
        for row, record in zip(waiting, records, strict=True):
            row.record = record or row.record
            if record and record.state.is_final:
                row.result = self._result_of(row)

    @cached_property
    def _ledger(self) -> Ledger:
        return Ledger()

    def _submit(self, row: Row) -> Row:
        try:
            row.job = submit(row.source, self.destination, self.options, force=self.force, ledger=self._ledger)
            row.record = self._ledger.get(row.job.id)
            if row.record is None or row.record.state.is_final:
                row.was_done = True
                row.result = self._result_of(row)
                row.record = None
        except BrokerError:
            raise
        except DuetError as error:
            row.error = str(error)
        return row

    def _result_of(self, row: Row) -> EpisodeResult | None:
        return read_manifest(open_storage(row.job.uri)) if row.job else None


def _row(source: Path | AudioError) -> Row:
    if isinstance(source, AudioError):
        return Row(source=str(source).partition(" ")[0], error=str(source))
    return Row(source=str(source), size_bytes=source.stat().st_size)


def _rounded(seconds: float | None) -> float | None:
    return None if seconds is None else round(seconds, 2)
