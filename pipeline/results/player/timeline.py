"""The timeline: chapters, speakers' turns, doubtful stretches and places found, along the episode."""

from collections.abc import Iterable
from itertools import pairwise

from pipeline.results.player.cast import NARROWEST, Cast
from pipeline.results.player.doubts import doubtful_stretches
from pipeline.types import EpisodeResult


def timeline(result: EpisodeResult, cast: Cast | None) -> str:
    """Return the HTML of what the slider shows; each row is one SVG, a second wide for each second."""
    length_s = result.audio_s or (result.transcript.audio_s if result.transcript else 0.0)
    if not length_s:
        return '<div id="line" data-length="0"></div>'
    chapters = _row(length_s, f'<path d="{_boxes(_chapters(result, length_s), 0.0)}"/>')
    doubts = _boxes(doubtful_stretches(result.transcript), length_s * NARROWEST) if result.transcript else ""
    return (
        f'<div id="line" data-length="{length_s:.2f}">{chapters}<div id="played">{chapters}</div></div>'
        f"{cast.lane() if cast else ''}"
        f'<div id="ticks">{_row(length_s, f"""<path id="doubts" d="{doubts}"/><path id="places"/>""")}</div>'
    )


def _row(length_s: float, paths: str) -> str:
    return f'<svg viewBox="0 0 {length_s:.2f} 1" preserveAspectRatio="none" aria-hidden="true">{paths}</svg>'


def _chapters(result: EpisodeResult, length_s: float) -> Iterable[tuple[float, float]]:
    starts = [it.start_s for it in result.analysis.chapters] if result.analysis else []
    return pairwise(sorted({0.0, length_s, *(it for it in starts if 0 < it < length_s)}))


def _boxes(stretches: Iterable[tuple[float, float]], least_s: float) -> str:
    return "".join(f"M{start:.1f} 0h{max(end - start, least_s):.1f}v1H{start:.1f}z" for start, end in stretches)
