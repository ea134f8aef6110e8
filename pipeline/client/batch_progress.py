"""Live progress of a batch: newly ended episodes, running episodes and totals."""

import time
from collections import Counter, deque
from dataclasses import dataclass, field
from typing import Literal

from pipeline.client.batch_follower import BatchFollower
from pipeline.client.episode_row import EpisodeRow
from pipeline.state.batch_store import BatchStore
from pipeline.state.job_store import JobStore
from pipeline.types import LEGS, JobState
from pipeline.types.batch_record import Entry
from pipeline.types.found import Skipped
from pipeline.types.status import JobStatus

SHOWN_ROWS = 20
"""Maximum number of rows, so that they can be taken in."""
WAITING_ROWS = 3
"""Rows that are kept for episodes that wait, where there is room for more than those at work."""
LEFT_OUT_EXAMPLES = 3
LOOKING_SHARE = 0.1
"""Maximum fraction of the time that is spent on broker requests."""


@dataclass
class BatchTotals:
    """Totals of the episodes that have ended."""

    states: Counter[JobState] = field(default_factory=Counter)
    statuses: Counter[JobStatus] = field(default_factory=Counter)
    done_before: int = 0
    audio_s: float = 0.0
    worked_audio_s: float = 0.0
    """Seconds of audio that were processed for this batch, without failures and results from before."""
    worked_bytes: int = 0
    """Their bytes."""
    worked_from: float | None = None
    """Time at which the first leg began, models loaded, in seconds since the epoch."""
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
        self.statuses[row.status] += 1
        self.done_before += row.was_done
        self.audio_s += row.audio_s or 0.0
        self.ended_at = max(self.ended_at, (row.record and row.record.ended_at) or 0.0)
        if row.state in (JobState.COMPLETED, JobState.PARTIAL) and not row.was_done and row.work_began_at:
            self.worked_audio_s += row.audio_s or 0.0
            self.worked_bytes += row.size_bytes
            self.worked_from = min(self.worked_from or row.work_began_at, row.work_began_at)

    def speed(self, until: float) -> float | None:
        """Return the seconds of audio processed in a second up to a time; None if nothing was."""
        if self.worked_from is None or until <= self.worked_from or not self.worked_audio_s:
            return None
        return self.worked_audio_s / (until - self.worked_from)

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
        self.destination = self._batches.get(batch).destination
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

    def shown(self, most: int = SHOWN_ROWS) -> list[EpisodeRow]:
        """Return the rows to show: those at work, those that ended last, the newest first, and some that wait."""
        busy_ids = self._at_work()
        busy = [self._follower.open[job] for job in busy_ids[:most]]
        idle = [entry for job, entry in self._follower.open.items() if job not in set(busy_ids)]
        room = most - len(busy)
        ended = list(self.latest)[::-1][: max(room - min(WAITING_ROWS, len(idle)), 0)]
        rows = self._rows(busy + idle[: room - len(ended)])
        return [*rows[: len(busy)], *ended, *rows[len(busy) :]]

    def _at_work(self) -> list[str]:
        """Return the open jobs of which a leg runs; the state alone does not tell, as a skipped leg advances it too."""
        begun = (JobState.RUNNING, JobState.TRANSCRIBED)
        jobs = [job for job in self._follower.open if self._follower.states.get(job) in begun]
        fields = self.job_store.fields(jobs, [f"{leg}.{name}" for leg in LEGS for name in ("started_at", "ended_at")])
        return [
            job
            for job, times in zip(jobs, fields, strict=True)
            if any(times[f"{leg}.started_at"] and not times[f"{leg}.ended_at"] for leg in LEGS)
        ]

    def _rows(self, entries: list[Entry]) -> list[EpisodeRow]:
        records = self.job_store.get_many(entry.job for entry in entries)
        return [EpisodeRow(entry.source, entry, record) for entry, record in zip(entries, records, strict=True)]

    def _rejected_rows(self) -> list[EpisodeRow]:
        new = [EpisodeRow.of_rejected(it) for it in self._batches.rejected(self._follower.batch, self._rejected)]
        self._rejected += len(new)
        return new
