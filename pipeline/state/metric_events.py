"""Counts of an episode's events."""

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
    """An attempt was put to work."""
    return SUBMITTED.by()


def leg_began(leg: Leg, waited_s: float) -> Counts:
    """A leg is at work for the first time, so long after it was submitted."""
    return WAIT_S.of(max(0.0, waited_s), leg=leg)


def leg_ended(outcome: LegOutcome, reason: str = LOST) -> Counts:
    """A leg has ended; the reason is looked at where it failed."""
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
    """A step other than a leg ended failed."""
    return FAILURES.by(step=step, reason=reason)


def step_retried(step: str, cause: str) -> Counts:
    """A step is begun once more."""
    return RETRIES.by(step=step, cause=cause)


def episode_ended(state: JobState) -> Counts:
    """An episode has ended."""
    return ENDED.by(state=state.value)


def episode_took(seconds: float) -> Counts:
    """An episode that was not cancelled took so long in all."""
    return EPISODE_S.of(max(0.0, seconds))


def webhook(result: str) -> Counts:
    """Somebody was told of an episode, or was to be."""
    return WEBHOOKS.by(result=result)
