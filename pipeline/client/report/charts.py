"""Charts of the work in a batch: a bar for each of a few episodes, distributions of many.

They are SVG without a view box: places across are percentages and letters keep their size on any screen.
"""

import math
from collections.abc import Iterator, Sequence
from itertools import groupby

from pipeline.client.report.text import LEG_NAMES, escaped, seconds, speed
from pipeline.client.report.totals import Work
from pipeline.types import LEGS, Leg
from pipeline.types.graphemes import shortened
from pipeline.types.time_format import hms

FEW_EPISODES = 12
TITLE_CHARACTERS = 40
COLUMNS = 24
PLOT_PX, LETTERS_PX = 96, 20
LEAST_FACTOR = 4.0
"""Least ratio of the ends of the axis of speeds, so that nearly equal speeds stay close together."""


def charts(done: Sequence[Work], ends: Sequence[tuple[float, float]]) -> str:
    """Return figures that fit the number of episodes.

    Args:
        done: the work of all legs, that of an episode in a row.
        ends: seconds from the start of the batch to each episode's end, with its seconds of audio.
    """
    if len({it.title for it in done}) <= FEW_EPISODES and len(done) <= FEW_EPISODES * len(LEGS):
        return _figure("Time at work, and how many times faster than listening", _bars(done)) if done else ""
    figures = [
        _figure(f"Speed of {LEG_NAMES[leg]}: episodes by times real time", _speeds(leg, [it.speed for it in own]))
        for leg in LEGS
        if (own := [it for it in done if it.leg == leg])
    ]
    return "".join(figures) + (
        _figure("Hours of audio done, over the time of the batch", _throughput(ends)) if ends else ""
    )


def _figure(caption: str, svg: str) -> str:
    return f"<figure><figcaption>{caption}</figcaption>{svg}</figure>"


def _bars(done: Sequence[Work]) -> str:
    longest_s = max(it.work_s for it in done)
    parts, y = [], 0
    for title, own in groupby(done, key=lambda it: it.title):
        y += 16
        parts.append(f'<text x="0" y="{y}" class="name">{escaped(shortened(title, TITLE_CHARACTERS))}</text>')
        for it in own:
            width = _percent(it.work_s / longest_s)
            parts.append(f'<rect class="{it.leg}" x="0" y="{y + 6}" width="{width}" height="8" rx="2"/>')
            parts.append(f'<text x="0" y="{y + 27}">{LEG_NAMES[it.leg]} {seconds(it.work_s)}, {speed(it.speed)}</text>')
            y += 28
        y += 10
    told = "; ".join(f"{it.title}: {LEG_NAMES[it.leg]} {seconds(it.work_s)}, {speed(it.speed)}" for it in done)
    return _svg(parts, y, told)


def _speeds(leg: Leg, speeds: Sequence[float]) -> str:
    low, high = min(speeds), max(speeds)
    widen = math.sqrt(max(1.0, LEAST_FACTOR * low / high))
    low, high = low / widen, high * widen
    counts = [0] * COLUMNS
    for it in speeds:
        counts[min(COLUMNS - 1, int(COLUMNS * math.log(it / low) / math.log(high / low)))] += 1
    ticks = [speed(low * (high / low) ** (part / 4)) for part in range(5)]
    spread = f"from {speed(min(speeds))} to {speed(max(speeds))}"
    told = f"{len(speeds):,} episodes, {spread}; most often {_mode(counts, low, high)}"
    return _columns(counts, ticks, leg, f"{max(counts):,}", told)


def _mode(counts: Sequence[int], low: float, high: float) -> str:
    at = counts.index(max(counts))
    return speed(low * (high / low) ** ((at + 0.5) / len(counts)))


def _throughput(ends: Sequence[tuple[float, float]]) -> str:
    last_s = max(1.0, *(at_s for at_s, _ in ends))
    hours = [0.0] * COLUMNS
    for at_s, audio_s in ends:
        hours[min(COLUMNS - 1, int(COLUMNS * max(0.0, at_s) / last_s))] += audio_s / 3600
    ticks = [hms(last_s * part / 4) for part in range(5)]
    told = f"{sum(hours):,.1f} hours of audio in {hms(last_s)}"
    return _columns(hours, ticks, "all", f"{max(hours):,.1f} h", told)


def _columns(values: Sequence[float], ticks: Sequence[str], kind: str, most: str, told: str) -> str:
    highest = max(values) or 1.0
    parts = [f'<text x="0" y="12">{most}</text>', *_axis(ticks)]
    width = _percent(0.84 / len(values))
    for place, value in enumerate(values):
        height = round(PLOT_PX * value / highest, 1)
        x, y = _percent((place + 0.08) / len(values)), LETTERS_PX + PLOT_PX - height
        parts.append(f'<rect class="{kind}" x="{x}" y="{y:.1f}" width="{width}" height="{height}"/>')
    return _svg(parts, 2 * LETTERS_PX + PLOT_PX, told)


def _axis(ticks: Sequence[str]) -> Iterator[str]:
    base = LETTERS_PX + PLOT_PX
    yield f'<line x1="0" x2="100%" y1="{base}.5" y2="{base}.5"/>'
    anchors = ["start", *["middle"] * (len(ticks) - 2), "end"]
    for place, (name, anchor) in enumerate(zip(ticks, anchors, strict=True)):
        yield f'<text x="{_percent(place / (len(ticks) - 1))}" y="{base + 16}" text-anchor="{anchor}">{name}</text>'


def _percent(share: float) -> str:
    return f"{100 * share:.2f}%"


def _svg(parts: Sequence[str], height: float, told: str) -> str:
    return f'<svg width="100%" height="{height:.0f}" role="img" aria-label="{escaped(told)}">{"".join(parts)}</svg>'
