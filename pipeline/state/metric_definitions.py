"""Definitions of the metrics; docs/watching.md lists them."""

from pipeline import errors
from pipeline.state.counters import Counter, Histogram
from pipeline.types import FINAL_STATES
from pipeline.types.job import LEGS

STEPS = (*LEGS, "opinion", "merge", "rescue", "conclude", "question")
"""The steps of a job, by their names in task ids."""
UNEXPECTED, LOST, MEMORY = "unexpected", "lost", "memory"
RETRY_CAUSES = ("transient", LOST, MEMORY, "vanished")
"""A transient error; a lost process; exhausted memory; a message that was in no queue and reserved by no worker."""
WAIT_BOUNDS_S = (1, 5, 15, 60, 300, 900, 1800, 3600, 7200, 21600, 86400)
WORK_BOUNDS_S = (1, 2.5, 5, 10, 30, 60, 150, 300, 600, 1200, 1800, 3600, 7200, 21600)
FACTOR_BOUNDS = (0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10)


def reason_of(error: BaseException) -> str:
    """Return the `reason` label of a failure: one for each class of error, never a message."""
    if isinstance(error, MemoryError):
        return MEMORY
    return _REASONS.get(type(error), UNEXPECTED) if isinstance(error, errors.DuetError) else UNEXPECTED


def _name(kind: type) -> str:
    words = "".join(f"_{it.lower()}" if it.isupper() else it for it in kind.__name__.removesuffix("Error"))
    return words.removeprefix("_")


_REASONS = {
    it: _name(it)
    for it in vars(errors).values()
    if isinstance(it, type) and issubclass(it, errors.DuetError) and it is not errors.DuetError
}
REASONS = tuple(sorted({*_REASONS.values(), UNEXPECTED, LOST, MEMORY}))

SUBMITTED = Counter("duet_episodes_submitted", "Episodes put onto the queues, each attempt counted.")
ENDED = Counter(
    "duet_episodes_ended",
    "Episodes that ended, by how.",
    {"state": tuple(sorted(FINAL_STATES))},
)
EPISODE_S = Histogram(
    "duet_episode_seconds", "Seconds from submitting an episode to its end.", bounds=WAIT_BOUNDS_S[1:]
)
AUDIO_S = Counter("duet_audio_seconds", "Seconds of audio that a leg has worked through.", {"leg": LEGS})
OUTCOMES = Counter(
    "duet_leg_outcomes",
    "Legs that ended, by how; reused where an earlier attempt had done the work.",
    {"leg": LEGS, "status": ("ok", "failed", "skipped", "reused")},
)
WAIT_S = Histogram(
    "duet_leg_wait_seconds",
    "Seconds from submitting an episode until its leg was first at work.",
    {"leg": LEGS},
    WAIT_BOUNDS_S,
)
WORK_S = Histogram(
    "duet_leg_work_seconds", "Seconds that a leg was at work, ended well or not.", {"leg": LEGS}, WORK_BOUNDS_S
)
FACTOR = Histogram(
    "duet_leg_real_time_factor",
    "Seconds of work for a second of audio: 0.1 is ten times faster than real time.",
    {"leg": LEGS},
    FACTOR_BOUNDS,
)
RETRIES = Counter(
    "duet_retries",
    "Steps that were begun once more, by why.",
    {"step": STEPS, "cause": RETRY_CAUSES},
)
FAILURES = Counter(
    "duet_failures",
    "Steps that ended failed, by the class of the error.",
    {"step": STEPS, "reason": REASONS},
)
WEBHOOKS = Counter(
    "duet_webhooks",
    "Tries to tell an address of an episode: it has understood, it is tried again, it was given up.",
    {"result": ("delivered", "retried", "failed")},
)

COUNTERS = (SUBMITTED, ENDED, AUDIO_S, OUTCOMES, RETRIES, FAILURES, WEBHOOKS)
HISTOGRAMS = (EPISODE_S, WAIT_S, WORK_S, FACTOR)
