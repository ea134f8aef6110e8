"""Questions about a finished episode, asked after its analysis."""

import hashlib
from typing import Literal

from pipeline.types.analysis import CustomAnswer
from pipeline.types.job import JobSpec, OwnQuestion
from pipeline.types.model import Model

QuestionState = Literal["waiting", "running", "answered", "failed", "skipped"]
ENDS: frozenset[QuestionState] = frozenset({"answered", "failed", "skipped"})


def id_of(text: str) -> str:
    """Return the first 8 hex digits of a question's SHA-256."""
    return hashlib.sha256(text.encode()).hexdigest()[:8]


class QuestionSpec(Model):
    """The input of the task that answers a question; its job is one that has ended."""

    job: JobSpec
    text: OwnQuestion

    @property
    def id(self) -> str:
        """The question's id: the same words are the same question."""
        return id_of(self.text)

    @property
    def task_id(self) -> str:
        """Return `<job>.question-<id>.<attempt>`."""
        return self.job.task_id(f"question-{self.id}")


class AskedQuestion(Model):
    """A question with its progress and, in the end, its answer."""

    id: str
    job: str
    question: str
    state: QuestionState = "waiting"
    reason: str = ""
    """Reason of a failed or skipped question, in one sentence."""
    asked_at: float
    """Time of the request in seconds since the epoch."""
    ended_at: float | None = None
    done_s: float = 0.0
    """Seconds of audio that have been listened to."""
    total_s: float = 0.0
    starts: int = 0
    """Number of times that a process has begun with it."""
    answer: CustomAnswer | None = None
    """The answer with the times at which it is said; None until there is one."""
    model: str = ""

    @property
    def is_final(self) -> bool:
        """Whether the question has ended."""
        return self.state in ENDS
