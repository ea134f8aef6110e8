"""Live progress of a batch: newly ended episodes, running episodes and totals."""

import time
from collections import Counter, deque
from dataclasses import dataclass, field
from typing import Literal

from pipeline.client.batch_follower import BatchFollower
from pipeline.client.episode_row import EpisodeRow
from pipeline.state.batch_store import BatchStore
from pipeline.state.job_store import JobStore
from pipeline.types import JobState
from pipeline.types.batch_record import Entry
from pipeline.types.found import Skipped

SHOWN_ROWS = 20
"""Maximum number of rows, so that they fit a usual terminal."""
LEFT_OUT_EXAMPLES = 3
LOOKING_SHARE = 0.1
"""Maximum fraction of the time that is spent on broker requests."""


@dataclass
class BatchTotals:
    """Totals of the episodes that have ended."""

    states: Counter[JobState] = field(default_factory=Counter)
    done_before: int = 0
    audio_s: float = 0.0
    done_bytes: int = 0
    """Audio bytes of the episodes that this batch processed."""
    ended_at: float = 0.0
    """End of the last of them, in seconds since the epoch."""
    left_out: Counter[str] = field(default_factory=Counter)
    """Number of files that are not episodes, by reason."""
    left_out_examples: dict[str, list[str]] = field(default_factory=dict)
    """The first of those files, by reason."""

    def leave_out(self, skipped: Skipped) -> None:
        """Count a file that is not an episode."""
        self.left_out[skipped.reason] += 1
        examples = self.left_out_examples.setdefault(skipped.reason, [])
        if len(examples) < LEFT_OUT_EXAMPLES:
            examples.append(skipped.source)

    def add(self, row: EpisodeRow) -> None:
        """Count an ended row."""
        self.states[row.state] += 1
        self.done_before += row.was_done
        self.audio_s += row.audio_s or 0.0
        self.ended_at = max(self.ended_at, (row.record and row.record.ended_at) or 0.0)
        self.done_bytes += 0 if row.was_done else row.size_bytes

    @property
    def episodes(self) -> int:
        """Number of episodes that have ended."""
        return self.states.total()

    @property
    def has_failures(self) -> bool:
        """Whether an episode failed or was cancelled."""
        return bool(self.states[JobState.FAILED] or self.states[JobState.CANCELLED])


class BatchProgress:
    """Polls a batch; stores only the totals and the rows to show."""

    def __init__(self, batch: str, job_store: JobStore) -> None:
        self.sums = BatchTotals()
        self.latest: deque[EpisodeRow] = deque(maxlen=SHOWN_ROWS)
        """The rows that ended last."""
        self.started_at = time.time()
        self.batch = batch
        self.job_store = job_store
        self._batches = BatchStore(job_store.redis)
        self._follower = BatchFollower(batch, job_store)
        self._rejected = 0
        self._skipped = 0
        self._next_look_at = 0.0

    def refresh(self) -> list[EpisodeRow]:
        """Return the rows that have ended since the last check, or an empty list if the next check is not due."""
        started = time.monotonic()
        if started < self._next_look_at:
            return []
        ended = self._rejected_rows() + self._rows([entry for entry, _ in self._follower.poll()])
        for row in ended:
            self.sums.add(row)
        self.latest.extend(ended)
        now = time.monotonic()
        self._next_look_at = now + (now - started) / LOOKING_SHARE
        return ended

    @property
    def open_count(self) -> int:
        """Number of episodes that have not ended."""
        return len(self._follower.open)

    @property
    def open_bytes(self) -> int:
        """Audio bytes of the episodes that have not ended."""
        return sum(entry.size_bytes for entry in self._follower.open.values())

    @property
    def is_over(self) -> bool:
        """Whether the submission is complete and every episode has ended and been returned."""
        known: list[tuple[Literal["rejected", "skipped"], int]]
        known = [("rejected", self._rejected), ("skipped", self._skipped)]
        return self._follower.is_complete and all(self._batches.count(self.batch, of) == count for of, count in known)

    @property
    def is_abandoned(self) -> bool:
        """Whether the submitter was lost before it had submitted everything."""
        return self._batches.get(self.batch).abandoned_at is not None

    def left_out(self) -> list[Skipped]:
        """Return the files found not to be episodes since the last call, each once."""
        new = list(self._batches.skipped(self.batch, self._skipped))
        self._skipped += len(new)
        for it in new:
            self.sums.leave_out(it)
        return new

    def shown(self) -> list[EpisodeRow]:
        """Return the rows to show: those that ended last, then running ones, then waiting ones."""
        at_work = (JobState.RUNNING, JobState.TRANSCRIBED)
        states = self._follower.states
        busy = [entry for job, entry in self._follower.open.items() if states.get(job) in at_work][:SHOWN_ROWS]
        idle = [entry for job, entry in self._follower.open.items() if states.get(job) not in at_work]
        rows = self._rows(busy + idle[: max(0, (SHOWN_ROWS - len(busy)) // 2)])
        room = SHOWN_ROWS - len(rows)
        return [*list(self.latest)[max(0, len(self.latest) - room) :], *rows] if room else rows

    def _rows(self, entries: list[Entry]) -> list[EpisodeRow]:
        records = self.job_store.get_many(entry.job for entry in entries)
        return [EpisodeRow(entry.source, entry, record) for entry, record in zip(entries, records, strict=True)]

    def _rejected_rows(self) -> list[EpisodeRow]:
        new = [EpisodeRow.of_rejected(it) for it in self._batches.rejected(self._follower.batch, self._rejected)]
        self._rejected += len(new)
        return new
