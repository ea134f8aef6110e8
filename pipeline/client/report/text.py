"""Figures and names as the report writes them."""

import html
from collections.abc import Sequence

from pipeline.types import Leg
from pipeline.types.time_format import hms

LEG_NAMES: dict[Leg, str] = {"whisper": "Whisper", "voxtral": "Voxtral", "speakers": "Speakers"}


def escaped(text: str) -> str:
    """Return a text for HTML, in attributes too."""
    return html.escape(text)


def counted(count: int, noun: str) -> str:
    """Return a number with its noun: `1 episode`, `12 episodes`."""
    return f"{count:,} {noun}{'' if count == 1 else 's'}"


def seconds(value: float | None) -> str:
    """Return `41.5 s`, or `2:03` from a minute on; empty if it is unknown."""
    return "" if value is None else f"{value:.1f} s" if value < 60 else hms(value)


def speed(value: float) -> str:
    """Return a multiple of real time: `0.4×`, `42×`."""
    return f"{value:,.0f}×" if value >= 10 else f"{value:.1f}×"


def named(names: Sequence[str], most: int) -> str:
    """Return the first names for HTML, and the number of the others."""
    shown = ", ".join(escaped(it) for it in names[:most])
    return shown if len(names) <= most else f"{shown} and {len(names) - most:,} more"
