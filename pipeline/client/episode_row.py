"""Rows of a batch's episodes for tables and `--json`."""

from dataclasses import dataclass
from typing import Self

from pipeline.results.shortfalls import short_shortfalls
from pipeline.types import JobState
from pipeline.types.batch_record import Entry
from pipeline.types.found import Rejected, Skipped
from pipeline.types.records import JobRecord
from pipeline.types.status import JobStatus
from pipeline.types.text import safe_line


@dataclass(frozen=True)
class EpisodeRow:
    """One episode of a batch with its state."""

    source: str
    entry: Entry | None = None
    record: JobRecord | None = None
    error: str = ""
    """Reason why it could not be submitted."""

    @classmethod
    def of_rejected(cls, rejected: Rejected) -> Self:
        """Return the row of a source that could not be submitted."""
        return cls(rejected.source, error=rejected.reason)

    @classmethod
    def of_job(cls, record: JobRecord) -> Self:
        """Return the row of a job outside a batch."""
        return cls(record.spec.episode.source, record=record)

    @property
    def state(self) -> JobState:
        """The state of the episode's job."""
        if self.error:
            return JobState.FAILED
        return self.record.state if self.record else JobState.CANCELLED

    @property
    def name(self) -> str:
        """The last part of the source, for tables."""
        return last_part(self.source)

    @property
    def status(self) -> JobStatus:
        """The status of the episode in words."""
        if self.error:
            return JobStatus.FAILED
        return self.record.status if self.record else JobStatus.CANCELLED

    @property
    def title(self) -> str:
        """The episode's title, else the name of its file, on one line."""
        own = self.record and self.record.title != self.record.spec.episode.file_name
        return safe_line(self.record.title) if self.record and own else self.name

    @property
    def has_outline(self) -> bool:
        """Whether an outline of the transcript stands in for Voxtral's analysis."""
        return bool(self.record and self.record.has_outline)

    @property
    def why_no_analysis(self) -> str:
        """The reason of its outline in a few words, or in a sentence if there is no shorter one."""
        outcome = self.record.legs["voxtral"].outcome if self.record and self.has_outline else None
        return (outcome.short or outcome.reason) if outcome else ""

    @property
    def shortfalls(self) -> tuple[str, ...]:
        """The shortfalls of the result, each leg by itself, or the reason why it failed."""
        if not self.record or self.error:
            return (self.reason,)
        outcomes = {leg: it.outcome for leg, it in self.record.legs.items() if it.outcome}
        by_leg = short_shortfalls(outcomes, self.record.spec.options)
        return by_leg or ((self.record.reason,) if self.record.reason else ())

    @property
    def was_done(self) -> bool:
        """Whether its results existed before the submission."""
        return bool(self.entry and self.entry.was_done)

    @property
    def size_bytes(self) -> int:
        """Bytes of its audio."""
        return self.entry.size_bytes if self.entry else 0

    @property
    def uri(self) -> str | None:
        """The folder of its results."""
        return self.entry.uri if self.entry else None

    @property
    def audio_s(self) -> float | None:
        """Length in seconds, or None if unknown."""
        return self.record.audio_s if self.record else None

    @property
    def transcript_s(self) -> float | None:
        """Seconds from the submission to the transcript, or None if this submission made none."""
        if self.was_done or not self.record or not self.record.transcribed_at:
            return None
        return self.record.transcribed_at - self.record.submitted_at

    @property
    def total_s(self) -> float | None:
        """Seconds from the submission to the end, or None if it was done before or has not ended."""
        if self.was_done or not self.record or not self.record.ended_at:
            return None
        return self.record.ended_at - self.record.submitted_at

    @property
    def work_began_at(self) -> float | None:
        """Time at which its first leg that was not skipped began, in seconds since the epoch."""
        legs = self.record.legs.values() if self.record else ()
        began = [it.started_at for it in legs if it.started_at and it.outcome and it.outcome.status != "skipped"]
        return min(began, default=None)

    @property
    def reason(self) -> str:
        """The error or the reason of the job's state."""
        return self.error or (self.record.reason if self.record else "The broker has forgotten it.")

    def to_json(self) -> dict[str, object]:
        """Return the line that `--json` prints."""
        return {
            "episode": self.record.spec.episode.id if self.record else None,
            "job": self.entry.job if self.entry else None,
            "source": self.source,
            "title": self.title,
            "status": self.state.value,
            "outline": self.has_outline,
            "audio_s": _rounded(self.audio_s),
            "transcript_s": _rounded(self.transcript_s),
            "total_s": _rounded(self.total_s),
            "uri": self.uri,
            "reason": self.reason,
        }


def last_part(source: str) -> str:
    """Return the last part of a path or an address in one line, for tables."""
    return safe_line(source.rstrip("/").rpartition("/")[2] or source)


def left_out_json(skipped: Skipped) -> dict[str, object]:
    """Return the line that `--json` prints for a file that is not an episode, with the fields of a row."""
    own = {"source": skipped.source, "status": "skipped", "reason": skipped.reason}
    return EpisodeRow(skipped.source).to_json() | own


def _rounded(seconds: float | None) -> float | None:
    return None if seconds is None else round(seconds, 2)
