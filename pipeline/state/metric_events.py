"""The counts of each event of an episode."""

from pipeline.state.counters import Counts
from pipeline.state.metric_definitions import (
    AUDIO_S,
    ENDED,
    EPISODE_S,
    FACTOR,
    FAILURES,
    LOST,
    OUTCOMES,
    RETRIES,
    SUBMITTED,
    WAIT_S,
    WEBHOOKS,
    WORK_S,
)
from pipeline.types import JobState, Leg, LegOutcome


def submitted() -> Counts:
    """Return the counts of a submitted attempt."""
    return SUBMITTED.by()


def leg_began(leg: Leg, waited_s: float) -> Counts:
    """Return the counts of a leg's first start, with its wait in seconds since submission."""
    return WAIT_S.of(max(0.0, waited_s), leg=leg)


def leg_ended(outcome: LegOutcome, reason: str = LOST) -> Counts:
    """Return the counts of a leg's end; the reason counts only if it failed."""
    leg = outcome.leg
    if outcome.reused:
        return OUTCOMES.by(leg=leg, status="reused")
    counts = OUTCOMES.by(leg=leg, status=outcome.status)
    if outcome.status == "skipped":
        return counts
    if outcome.work_s:
        counts |= WORK_S.of(outcome.work_s, leg=leg)
    if outcome.status == "failed":
        return counts | FAILURES.by(step=leg, reason=reason)
    if outcome.audio_s:
        counts |= AUDIO_S.by(outcome.audio_s, leg=leg) | FACTOR.of(outcome.work_s / outcome.audio_s, leg=leg)
    return counts


def step_failed(step: str, reason: str) -> Counts:
    """Return the counts of a failed step other than a leg."""
    return FAILURES.by(step=step, reason=reason)


def step_retried(step: str, cause: str) -> Counts:
    """Return the counts of a step's retry."""
    return RETRIES.by(step=step, cause=cause)


def episode_ended(state: JobState) -> Counts:
    """Return the counts of an episode's end."""
    return ENDED.by(state=state.value)


def episode_took(seconds: float) -> Counts:
    """Return the counts of the total seconds of an episode that was not cancelled."""
    return EPISODE_S.of(max(0.0, seconds))


def webhook(result: str) -> Counts:
    """Return the counts of a webhook delivery's result."""
    return WEBHOOKS.by(result=result)
