"""Usage of an episode, from its outcomes and the job store."""

import time
from collections.abc import Mapping

from pipeline.settings import settings
from pipeline.types import Leg, LegOutcome, LegUsage, SecondOpinion, UsageStats
from pipeline.types.records import JobRecord


def usage_stats(
    legs: Mapping[Leg, LegOutcome],
    record: JobRecord | None,
    audio_s: float | None,
    opinion: SecondOpinion | None = None,
) -> UsageStats:
    """Return the usage of the legs and of the second opinion so far."""
    each = {leg: _of(outcome, record, audio_s) for leg, outcome in legs.items()}
    total_s = time.time() - record.submitted_at if record else 0.0
    again = _of_opinion(opinion, audio_s) if opinion else None
    gpu_s = sum(it.gpu_s for it in each.values()) + (again.gpu_s if again else 0.0)
    price = settings().gpu_cost_per_hour
    return UsageStats(
        legs=each,
        second_opinion=again,
        total_s=round(total_s, 3),
        real_time_factor=_factor(total_s, audio_s),
        gpu_s=round(gpu_s, 3),
        gpu_cost_per_hour=price,
        estimated_cost=None if price is None else round(gpu_s / 3600 * price, 6),
    )


def _of(outcome: LegOutcome, record: JobRecord | None, audio_s: float | None) -> LegUsage:
    started_at = record.legs[outcome.leg].started_at if record else None
    return LegUsage(
        waited_s=round(max(0.0, started_at - record.submitted_at), 3) if record and started_at else None,
        work_s=outcome.work_s,
        real_time_factor=_factor(outcome.work_s, audio_s) if outcome.status == "ok" else None,
        gpu_s=_gpu_s(outcome.device, outcome.work_s),
    )


def _of_opinion(opinion: SecondOpinion, audio_s: float | None) -> LegUsage:
    return LegUsage(
        waited_s=opinion.waited_s,
        work_s=opinion.work_s,
        real_time_factor=_factor(opinion.work_s, audio_s) if opinion.status == "ok" else None,
        gpu_s=_gpu_s(opinion.device, opinion.work_s),
    )


def _gpu_s(device: str, work_s: float) -> float:
    return work_s if device.startswith("cuda") else 0.0


def _factor(seconds: float, audio_s: float | None) -> float | None:
    return round(seconds / audio_s, 5) if audio_s else None
