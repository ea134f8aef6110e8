"""The panel with what is to be known of the transcript: its origin, and what is missing."""

import html
from collections.abc import Iterator

from pipeline.results.player.panels import Panel
from pipeline.types import EpisodeResult, Leg, LegOutcome

WARNING = (
    "Automatic transcript; it may contain mistakes. Underlined words are uncertain: hover or tap to compare both "
    "readings."
)
MISSING: dict[Leg, str] = {"whisper": "No transcript", "voxtral": "No analysis by Voxtral", "speakers": "No speakers"}
READ_ALONG: dict[Leg, str] = {"whisper": "Transcript", "voxtral": "Analysis", "speakers": "Speakers"}


def about(result: EpisodeResult) -> Panel:
    """Return the panel with the warning, what is missing and why, and the models."""
    legs = [it for it in result.legs.values() if it.short and (it.unavailable or it.reason in result.missing)]
    told = {it.reason for it in legs}
    rows = [
        html.escape(WARNING),
        *map(_missing, legs),
        *(html.escape(sentence) for sentence in result.missing if sentence not in told),
        *_models(result),
    ]
    items = "".join(f"<li>{row}</li>" for row in rows)
    return Panel("flaws", "About", f"<h2>About this transcript</h2><ul>{items}</ul>")


def _missing(leg: LegOutcome) -> str:
    """Return the short reason, with the long one behind it."""
    short = html.escape(f"{MISSING[leg.leg]}: {leg.short}.")
    if not leg.reason:
        return short
    return f"{short} <details><summary>Details</summary><p>{html.escape(leg.reason)}</p></details>"


def _models(result: EpisodeResult) -> Iterator[str]:
    named = [f"{READ_ALONG[it.leg]} by {it.model}" for it in result.legs.values() if it.status == "ok" and it.model]
    if named:
        yield html.escape("; ".join(named) + ".")
