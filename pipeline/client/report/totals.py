"""Sums of a batch, and what its episodes lack, by reason."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from statistics import median

from pipeline.client.episode_row import EpisodeRow
from pipeline.settings import settings
from pipeline.types import LEGS, Leg
from pipeline.types.report import LegTotals, Missed, ReportTotals

MOST_DETAILS = 20


@dataclass(frozen=True)
class Work:
    """The work of a leg on an episode in this batch."""

    title: str
    leg: Leg
    audio_s: float
    work_s: float
    gpu_s: float

    @property
    def speed(self) -> float:
        """Seconds of audio in a second of work."""
        return self.audio_s / self.work_s


def work_of(rows: Iterable[EpisodeRow]) -> list[Work]:
    """Return the work of all legs in this batch, without what earlier attempts had done."""
    return [work for row in rows for leg in LEGS if (work := leg_work(row, leg))]


def leg_work(row: EpisodeRow, leg: Leg) -> Work | None:
    """Return the work of a leg on a row's episode; None if it did none in this batch, or failed."""
    outcome = row.record.legs[leg].outcome if row.record and not row.was_done else None
    if outcome is None or outcome.status != "ok" or outcome.reused or not row.audio_s or outcome.work_s <= 0:
        return None
    gpu_s = outcome.work_s if outcome.device.startswith("cuda") else 0.0
    return Work(row.title, leg, row.audio_s, outcome.work_s, gpu_s)


def totals(rows: Sequence[EpisodeRow], words: Iterable[int | None], took_s: float) -> ReportTotals:
    """Return the sums of a batch."""
    done = work_of(rows)
    legs = {leg: _leg([it for it in done if it.leg == leg]) for leg in LEGS if any(it.leg == leg for it in done)}
    price = settings().gpu_cost_per_hour
    gpu_s = sum(it.gpu_s for it in legs.values())
    return ReportTotals(
        audio_s=round(sum(row.audio_s or 0.0 for row in rows), 2),
        words=sum(it or 0 for it in words),
        took_s=round(took_s, 2),
        legs=legs,
        gpu_cost_per_hour=price,
        estimated_cost=None if price is None else round(gpu_s / 3600 * price, 6),
    )


def _leg(done: Sequence[Work]) -> LegTotals:
    speeds = [it.speed for it in done]
    return LegTotals(
        episodes=len(done),
        audio_s=round(sum(it.audio_s for it in done), 2),
        work_s=round(sum(it.work_s for it in done), 2),
        gpu_s=round(sum(it.gpu_s for it in done), 2),
        speed_median=round(median(speeds), 2),
        speed_least=round(min(speeds), 2),
        speed_most=round(max(speeds), 2),
    )


def missed(rows: Iterable[EpisodeRow]) -> list[Missed]:
    """Return each reason once: the ones of failures and losses first, then those of outlines."""
    sources: dict[tuple[bool, str], list[str]] = {}
    details: dict[tuple[bool, str], dict[str, None]] = {}
    for row in rows:
        for is_outline, short, long in _reasons(row):
            group = (is_outline, short)
            sources.setdefault(group, []).append(row.source)
            told = details.setdefault(group, {})
            if long and long not in short and len(told) < MOST_DETAILS:
                told[long] = None
    return [
        Missed(reason=short, outline=is_outline, details=tuple(details[is_outline, short]), sources=tuple(of))
        for (is_outline, short), of in sorted(sources.items(), key=lambda it: it[0][0])
    ]


def _reasons(row: EpisodeRow) -> Iterator[tuple[bool, str, str]]:
    """Yield whether it is about an outline, the short reason and the long one."""
    for short in row.shortfalls:
        yield False, short, row.reason
    if row.has_outline:
        outcome = row.record.legs["voxtral"].outcome if row.record else None
        yield True, row.why_no_analysis, outcome.reason if outcome else ""
