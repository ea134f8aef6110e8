"""A batch as it goes: what has ended since the last look, what is at work now, and the sums."""

import time
from collections import Counter, deque
from dataclasses import dataclass, field
from typing import Literal

from pipeline.client.batch_follower import LOOK_PAGE, BatchFollower
from pipeline.client.episode_row import EpisodeRow
from pipeline.state.batch_store import BatchStore
from pipeline.state.job_store import JobStore
from pipeline.types import JobState
from pipeline.types.batch_record import Entry
from pipeline.types.found import Skipped

SHOWN_ROWS = 20
"""More rows than this would not fit a usual terminal."""
LEFT_OUT_EXAMPLES = 3
LOOKING_SHARE = 0.1
"""Of the time, at most, that is spent on asking the broker."""


@dataclass
class BatchTotals:
    """Totals of the episodes that have ended."""

    states: Counter[JobState] = field(default_factory=Counter)
    done_before: int = 0
    audio_s: float = 0.0
    done_bytes: int = 0
    """Size of what was done by this batch."""
    ended_at: float = 0.0
    """When the last of them ended, in seconds since the epoch."""
    left_out: Counter[str] = field(default_factory=Counter)
    """How many files are no episodes, by the reason."""
    left_out_examples: dict[str, list[str]] = field(default_factory=dict)
    """The first of those, by the reason."""

    def leave_out(self, skipped: Skipped) -> None:
        """Count a file that is no episode."""
        self.left_out[skipped.reason] += 1
        examples = self.left_out_examples.setdefault(skipped.reason, [])
        if len(examples) < LEFT_OUT_EXAMPLES:
            examples.append(skipped.source)

    def add(self, row: EpisodeRow) -> None:
        """Count a row that has ended."""
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
        """Whether an episode failed, or was cancelled."""
        return bool(self.states[JobState.FAILED] or self.states[JobState.CANCELLED])


class BatchProgress:
    """Looks at a batch again and again; holds what is shown, not all there is."""

    def __init__(self, batch: str, job_store: JobStore) -> None:
        self.sums = BatchTotals()
        self.latest: deque[EpisodeRow] = deque(maxlen=SHOWN_ROWS)
        """The rows that have ended last."""
        self.started_at = time.time()
        self.batch = batch
        self.job_store = job_store
        self._batches = BatchStore(job_store.redis)
        self._follower = BatchFollower(batch, job_store)
        self._rejected = 0
        self._skipped = 0
        self._next_look_at = 0.0

    def refresh(self) -> list[EpisodeRow]:
        """Return the rows that have ended since the last look; nothing where looking again would be too soon."""
        started = time.monotonic()
        if started < self._next_look_at:
            return []
        ended = self._row_of_rejected() + self._rows([entry for entry, _ in self._follower.look()])
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
        """Size of the episodes that have not ended."""
        return sum(entry.size_bytes for entry in self._follower.open.values())

    @property
    def is_over(self) -> bool:
        """Whether all has been submitted and has ended."""
        known: list[tuple[Literal["rejected", "skipped"], int]]
        known = [("rejected", self._rejected), ("skipped", self._skipped)]
        return self._follower.is_complete and all(self._batches.count(self.batch, of) == count for of, count in known)

    @property
    def is_abandoned(self) -> bool:
        """Whether its client was gone before it had submitted everything."""
        return self._batches.get(self.batch).abandoned_at is not None

    def left_out(self) -> list[Skipped]:
        """Return the files that were found to be no episodes since the last time, each once."""
        new = list(self._batches.skipped(self.batch, self._skipped))
        self._skipped += len(new)
        for it in new:
            self.sums.leave_out(it)
        return new

    def shown(self) -> list[EpisodeRow]:
        """Return the rows that are worth a look now: at work, then waiting, after those that have ended last."""
        at_work = (JobState.RUNNING, JobState.TRANSCRIBED)
        states = self._follower.states
        busy = [entry for job, entry in self._follower.open.items() if states.get(job) in at_work][:SHOWN_ROWS]
        idle = [entry for job, entry in self._follower.open.items() if states.get(job) not in at_work]
        rows = self._rows(busy + idle[: max(0, (SHOWN_ROWS - len(busy)) // 2)])
        room = SHOWN_ROWS - len(rows)
        return [*list(self.latest)[max(0, len(self.latest) - room) :], *rows] if room else rows

    def _rows(self, entries: list[Entry]) -> list[EpisodeRow]:
        rows: list[EpisodeRow] = []
        for first in range(0, len(entries), LOOK_PAGE):
            page = entries[first : first + LOOK_PAGE]
            records = self.job_store.get_many([entry.job for entry in page])
            rows += [EpisodeRow(entry.source, entry, record) for entry, record in zip(page, records, strict=True)]
        return rows

    def _row_of_rejected(self) -> list[EpisodeRow]:
        new = [EpisodeRow.of_rejected(it) for it in self._batches.rejected(self._follower.batch, self._rejected)]
        self._rejected += len(new)
        return new
