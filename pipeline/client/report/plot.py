"""A plot of lengths against times as SVG; both axes are logarithmic, as episodes last from minutes to hours."""

import html
import math
from collections.abc import Iterator
from dataclasses import dataclass

WIDTH, HEIGHT = 720, 400
LEFT, RIGHT, TOP, BOTTOM = 64, 16, 12, 46
TICKS_S = (0.1, 1, 10, 60, 600, 3600, 6 * 3600, 24 * 3600)
TICK_NAMES = ("0.1 s", "1 s", "10 s", "1 min", "10 min", "1 h", "6 h", "24 h")
MARGIN = 1.4
"""Factor by which an axis extends beyond its last point."""
SPEEDS = (1, 10, 100)
"""Multiples of real time at which a line is drawn."""


@dataclass(frozen=True)
class Point:
    """The length of an episode and the seconds that a leg worked on it."""

    audio_s: float
    work_s: float
    leg: str
    name: str


class Plot:
    """The points of all legs, with lines of equal speed."""

    def __init__(self, points: list[Point]) -> None:
        self.points = [it for it in points if it.audio_s > 0 and it.work_s > 0]
        self.x = _Axis([it.audio_s for it in self.points], LEFT, WIDTH - RIGHT)
        self.y = _Axis([it.work_s for it in self.points], HEIGHT - BOTTOM, TOP)

    def svg(self) -> str:
        """Return the SVG element, or a sentence if there is nothing to plot."""
        if not self.points:
            return "<p>No leg has worked in this batch, so there is nothing to plot.</p>"
        parts = [*self._grid(), *self._speeds(), *self._dots()]
        label = "Seconds of work by the length of the episode, for each leg"
        return (
            f'<svg viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="{label}">{"".join(parts)}'
            f'<text class="axis" x="{(LEFT + WIDTH - RIGHT) / 2}" y="{HEIGHT - 8}" text-anchor="middle">'
            "length of the episode</text>"
            f'<text class="axis" transform="translate(13 {HEIGHT / 2}) rotate(-90)" text-anchor="middle">'
            "time at work</text></svg>"
        )

    def _grid(self) -> Iterator[str]:
        for value, name in zip(TICKS_S, TICK_NAMES, strict=True):
            if self.x.holds(value):
                x = self.x.at(value)
                yield f'<line class="grid" x1="{x:.1f}" x2="{x:.1f}" y1="{TOP}" y2="{HEIGHT - BOTTOM}"/>'
                yield f'<text x="{x:.1f}" y="{HEIGHT - BOTTOM + 17}" text-anchor="middle">{name}</text>'
            if self.y.holds(value):
                y = self.y.at(value)
                yield f'<line class="grid" x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{y:.1f}" y2="{y:.1f}"/>'
                yield f'<text x="{LEFT - 6}" y="{y + 4:.1f}" text-anchor="end">{name}</text>'

    def _speeds(self) -> Iterator[str]:
        """Yield a line for each speed, clipped to the plot."""
        for speed in SPEEDS:
            first = max(self.x.low, self.y.low * speed)
            last = min(self.x.high, self.y.high * speed)
            if first < last:
                ends = [(self.x.at(length), self.y.at(length / speed)) for length in (first, last)]
                (x1, y1), (x2, y2) = ends
                yield f'<line class="speed" x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}"/>'
                yield f'<text class="speed" x="{x2 - 4:.1f}" y="{y2 - 4:.1f}" text-anchor="end">{speed}×</text>'

    def _dots(self) -> Iterator[str]:
        for it in self.points:
            tooltip = html.escape(f"{it.name}: {it.audio_s:.0f} s, {it.leg} {it.work_s:.1f} s")
            x, y = self.x.at(it.audio_s), self.y.at(it.work_s)
            yield f'<circle class="{it.leg}" cx="{x:.1f}" cy="{y:.1f}" r="4"><title>{tooltip}</title></circle>'


class _Axis:
    """Maps values to coordinates; spans at least a factor of ten, so that similar points stay close together."""

    def __init__(self, values: list[float], begin: float, end: float) -> None:
        low, high = min(values, default=1.0) / MARGIN, max(values, default=1.0) * MARGIN
        widen = math.sqrt(max(1.0, 10 * low / high))
        self.low, self.high = low / widen, high * widen
        self._begin, self._end = begin, end

    def at(self, value: float) -> float:
        share = math.log(value / self.low) / math.log(self.high / self.low)
        return self._begin + share * (self._end - self._begin)

    def holds(self, value: float) -> bool:
        return self.low <= value <= self.high
