"""Records of a job while it is at work, and for as long as it is kept."""

import time
from typing import Any

from pydantic import BaseModel, ConfigDict

from pipeline.types.job import FINAL_STATES, JobSpec, JobState, Leg
from pipeline.types.result import LegOutcome

RANKS = {JobState.SUBMITTED: 0, JobState.RUNNING: 1, JobState.TRANSCRIBED: 2} | dict.fromkeys(FINAL_STATES, 3)
"""How far each state is; a job never goes back."""

SEND_GRACE_S = 10.0
"""A job that was begun and not sent for this long was left by a client that died: it is sent again."""


class LegRecord(BaseModel):
    """The progress of one leg of a job."""

    model_config = ConfigDict(frozen=True)

    started_at: float | None = None
    """When this attempt was first at it."""
    ended_at: float | None = None
    done_s: float = 0.0
    total_s: float = 0.0
    text: str = ""
    """The last line that was heard."""
    seen_at: float | None = None
    """When the leg was last seen at work."""
    fresh_starts: int = 0
    """How often it was begun in a fresh process because memory had run out."""
    outcome: LegOutcome | None = None
    losses: int = 0
    """How often in a row its process was lost without getting on."""
    pieces: int = 0
    """Checkpoints that were there at the last loss."""


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
    """How often the sweeper had to send something of it again."""
    endings: int = 0
    """How often a merge of it was begun since one last ended by itself."""
    opinion_asked_at: float | None = None
    """When Voxtral was asked to hear once more what Whisper was unsure of; both legs have ended then."""
    legs: dict[Leg, LegRecord]

    @property
    def audio_s(self) -> float | None:
        """Length of the episode in seconds, as soon as a leg knows it."""
        ended = [leg.outcome.audio_s for leg in self.legs.values() if leg.outcome and leg.outcome.audio_s]
        return max(ended, default=None) or max((leg.total_s for leg in self.legs.values()), default=0.0) or None

    @property
    def was_never_sent(self) -> bool:
        """Whether its client wrote it down and was lost before it sent the messages."""
        return self.sent_at is None and time.time() - self.submitted_at > SEND_GRACE_S

    @classmethod
    def from_hash(cls, fields: dict[str, str]) -> "JobRecord":
        """Read the hash of a job."""
        legs: dict[str, dict[str, Any]] = {"whisper": {}, "voxtral": {}}
        own: dict[str, Any] = {}
        for name, value in fields.items():
            leg, _, field = name.partition(".")
            if not field:
                own[name] = JobSpec.from_json(value) if name == "spec" else value
            else:
                legs[leg][field] = LegOutcome.from_json(value) if field == "outcome" else value
        return cls.model_validate(own | {"legs": legs})
