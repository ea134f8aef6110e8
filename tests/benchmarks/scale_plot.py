"""Cost against waiting as SVG, both axes logarithmic."""

import html
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

WIDTH, HEIGHT, LEFT, RIGHT, TOP, BOTTOM = 760, 440, 76, 24, 20, 52
TICKS_S = {60: "1 min", 600: "10 min", 3600: "1 h", 6 * 3600: "6 h", 24 * 3600: "1 day", 7 * 86400: "1 week"}
STYLE = """svg{font:12px sans-serif;background:#fff}line{stroke:#ddd}.fixed{stroke:#888;fill:#888}
.scaled{stroke:#0a6;fill:#0a6}polyline{fill:none!important;stroke-width:1.5}text{fill:#333}"""


@dataclass(frozen=True)
class Point:
    """One policy: how long 95 of 100 episodes take at most, and what the day costs."""

    name: str
    wait_s: float
    cost: float
    is_scaled: bool


def svg(points: Sequence[Point]) -> str:
    """Return the picture: fixed fleets as one line, the scaler's targets as another."""
    across = _log_scale([it.wait_s for it in points], LEFT, WIDTH - RIGHT)
    up = _log_scale([it.cost for it in points], HEIGHT - BOTTOM, TOP)
    parts = [*_grid(points, across, up)]
    for kind in ("fixed", "scaled"):
        own = [it for it in points if it.is_scaled == (kind == "scaled")]
        places = " ".join(f"{across(it.wait_s):.1f},{up(it.cost):.1f}" for it in own)
        parts.append(f'<polyline class="{kind}" points="{places}"/>')
        for it in own:
            x, y = across(it.wait_s), up(it.cost)
            parts.append(f'<circle class="{kind}" cx="{x:.1f}" cy="{y:.1f}" r="4"/>')
            label = html.escape(it.name.removeprefix("scaled, ").removesuffix(" target"))
            side, anchor = (8, "start") if x < WIDTH / 2 else (-8, "end")
            shift = 14 if it.is_scaled else -6
            parts.append(f'<text x="{x + side:.1f}" y="{y + shift:.1f}" text-anchor="{anchor}">{label}</text>')
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}"><style>{STYLE}</style>'
        f"{''.join(parts)}"
        f'<text x="{WIDTH - RIGHT}" y="{TOP + 14}" text-anchor="end">grey: all day; green: scaled, by target</text>'
        f'<text x="{WIDTH / 2}" y="{HEIGHT - 10}" text-anchor="middle">95 of 100 episodes are done within</text>'
        f'<text transform="translate(16 {HEIGHT / 2}) rotate(-90)" text-anchor="middle">cost of the day</text></svg>\n'
    )


def _grid(points: Sequence[Point], across: "_Scale", up: "_Scale") -> Iterator[str]:
    for value, name in TICKS_S.items():
        if LEFT <= (x := across(value)) <= WIDTH - RIGHT:
            yield f'<line x1="{x:.1f}" x2="{x:.1f}" y1="{TOP}" y2="{HEIGHT - BOTTOM}"/>'
            yield f'<text x="{x:.1f}" y="{HEIGHT - BOTTOM + 18}" text-anchor="middle">{name}</text>'
    for power in range(8):
        for value in (10**power, 3 * 10**power):
            if TOP <= (y := up(value)) <= HEIGHT - BOTTOM:
                yield f'<line x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{y:.1f}" y2="{y:.1f}"/>'
                yield f'<text x="{LEFT - 8}" y="{y + 4:.1f}" text-anchor="end">{value:,}</text>'


class _Scale:
    def __init__(self, low: float, high: float, begin: float, end: float) -> None:
        self._low, self._high, self._begin, self._end = low, high, begin, end

    def __call__(self, value: float) -> float:
        share = math.log(value / self._low) / math.log(self._high / self._low)
        return self._begin + share * (self._end - self._begin)


def _log_scale(values: Sequence[float], begin: float, end: float) -> _Scale:
    return _Scale(min(values) / 1.4, max(values) * 1.4, begin, end)
