"""Shortfalls of a result, and the state of the job that they amount to."""

from collections.abc import Mapping

from pipeline.types import MODEL_LEGS, JobState, Leg, LegOutcome, Options

NAMES: dict[Leg, str] = {"whisper": "Whisper", "voxtral": "Voxtral", "speakers": "Speakers"}


def shortfalls(legs: Mapping[Leg, LegOutcome], options: Options) -> tuple[str, ...]:
    """Return a sentence for each flaw of a leg, and for each leg that is asked for and has not succeeded."""
    return tuple(
        _named(leg, sentence)
        for leg, outcome in legs.items()
        for sentence in (*outcome.flaws, *([outcome.reason] if outcome.falls_short(options) else []))
    )


def short_shortfalls(legs: Mapping[Leg, LegOutcome], options: Options) -> tuple[str, ...]:
    """Return the shortfalls in the shortest words that there are, each once.

    Where a leg failed, one that this machine cannot run is not told: it is not why the job fell short.
    """
    has_failed = any(it.status == "failed" for it in legs.values())
    told: dict[str, None] = {}
    for leg, outcome in legs.items():
        told |= dict.fromkeys(outcome.flaws)
        if outcome.falls_short(options) and not (has_failed and outcome.unavailable):
            told[_named(leg, outcome.short) if outcome.short else outcome.reason] = None
    return tuple(told)


def state_of(legs: Mapping[Leg, LegOutcome], missing: tuple[str, ...]) -> JobState:
    """Return the final state of a job with these shortfalls."""
    if not missing:
        return JobState.COMPLETED
    return JobState.PARTIAL if any(legs[leg].status == "ok" for leg in MODEL_LEGS) else JobState.FAILED


def _named(leg: Leg, sentence: str) -> str:
    return sentence if sentence.startswith(NAMES[leg]) else f"{NAMES[leg]}: {sentence}"
