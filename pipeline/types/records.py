"""Records of jobs in the job store."""

import time
from typing import Any

from pydantic import BaseModel, ConfigDict

from pipeline.errors import WaitTimeoutError
from pipeline.types.job import FINAL_STATES, LEGS, JobSpec, JobState, Leg
from pipeline.types.result import LegOutcome, show_of, title_of
from pipeline.types.status import JobStatus

RANKS = {JobState.SUBMITTED: 0, JobState.RUNNING: 1, JobState.TRANSCRIBED: 2} | dict.fromkeys(FINAL_STATES, 3)
"""Order of the states; a job's rank never decreases."""

SEND_GRACE_S = 10.0
"""Seconds after which a job that was begun and not sent counts as left by a dead client, and is sent again."""


class LegRecord(BaseModel):
    """The progress of one leg of a job."""

    model_config = ConfigDict(frozen=True)

    started_at: float | None = None
    """Time of this attempt's first start of the leg."""
    ended_at: float | None = None
    done_s: float = 0.0
    total_s: float = 0.0
    text: str = ""
    """The last transcribed line."""
    seen_at: float | None = None
    """Time of the leg's last progress report."""
    fresh_starts: int = 0
    """Number of restarts in a new process after memory ran out."""
    outcome: LegOutcome | None = None
    losses: int = 0
    """Number of losses of its process in a row without progress."""
    pieces: int = 0
    """Number of checkpoints at the last loss."""

    @property
    def is_at_work(self) -> bool:
        """Whether it has begun and not ended."""
        return self.started_at is not None and self.ended_at is None


class JobRecord(BaseModel):
    """A job in the job store; times are seconds since the epoch."""

    model_config = ConfigDict(frozen=True)

    spec: JobSpec
    state: JobState
    submitted_at: float
    sent_at: float | None = None
    transcribed_at: float | None = None
    ended_at: float | None = None
    reason: str = ""
    resends: int = 0
    """Number of messages that the sweeper has sent again."""
    endings: int = 0
    """Number of merges begun since one last ended by itself."""
    opinion_asked_at: float | None = None
    """Time of the request for a second opinion on the uncertain spans; all legs have ended then."""
    legs: dict[Leg, LegRecord]

    @property
    def audio_s(self) -> float | None:
        """Length of the episode in seconds; None until a leg has determined it."""
        ended = [leg.outcome.audio_s for leg in self.legs.values() if leg.outcome and leg.outcome.audio_s]
        return max(ended, default=None) or max((leg.total_s for leg in self.legs.values()), default=0.0) or None

    @property
    def status(self) -> JobStatus:
        """The status of the job in words, for people."""
        if self.state.is_final:
            return self._final_status()
        at_work = any(leg.is_at_work for leg in self.legs.values())
        if self.state is JobState.TRANSCRIBED:
            return JobStatus.ANALYZING if self.legs["voxtral"].is_at_work else JobStatus.TRANSCRIPT_READY
        return JobStatus.WORKING if at_work else JobStatus.WAITING

    @property
    def has_outline(self) -> bool:
        """Whether Voxtral could not run, so that an outline of the transcript stands in for its analysis."""
        whisper, voxtral = self.legs["whisper"].outcome, self.legs["voxtral"].outcome
        return bool(whisper and whisper.status == "ok" and voxtral and voxtral.unavailable)

    @property
    def title(self) -> str:
        """The feed's title, else the file's, else the file's name."""
        return title_of(self.spec.episode, self._outcomes()) or self.spec.episode.file_name

    @property
    def show(self) -> str:
        """The name of the show, from the feed or the file's tags; empty if unknown."""
        return show_of(self.spec.episode, self._outcomes())

    def _outcomes(self) -> list[LegOutcome]:
        return [leg.outcome for leg in self.legs.values() if leg.outcome]

    def _final_status(self) -> JobStatus:
        if self.state is JobState.COMPLETED and self.has_outline:
            return JobStatus.TRANSCRIBED
        return JobStatus(self.state.value)

    @property
    def was_never_sent(self) -> bool:
        """Whether its submitter began it and was lost before it sent the messages."""
        return self.sent_at is None and time.time() - self.submitted_at > SEND_GRACE_S

    def has_reached(self, state: JobState) -> bool:
        """Return whether the job is in a state or a later one."""
        return RANKS[self.state] >= RANKS[state]

    @classmethod
    def from_hash(cls, fields: dict[str, str]) -> "JobRecord":
        """Return the record in a job's hash."""
        legs: dict[str, dict[str, Any]] = {leg: {} for leg in LEGS}
        own: dict[str, Any] = {}
        for name, value in fields.items():
            leg, _, field = name.partition(".")
            if not field:
                own[name] = JobSpec.from_json(value) if name == "spec" else value
            else:
                legs[leg][field] = LegOutcome.from_json(value) if field == "outcome" else value
        return cls.model_validate(own | {"legs": legs})


def too_late(job: str, record: JobRecord | None, reached: JobState, timeout_s: float | None) -> WaitTimeoutError:
    """Return the error of a wait for a state that has timed out."""
    state = record.state.value if record else "unknown"
    return WaitTimeoutError(f"Job {job} is {state} after {timeout_s or 0.0:g} s, not yet {reached.value}.")
