"""Grapheme clusters: what readers see as one letter, such as a letter with its marks, or an emoji of several parts.

Boundaries follow Unicode's UAX #29, and widths are those of terminals, both by wcwidth.
"""

import unicodedata
from itertools import accumulate

from wcwidth import iter_graphemes, width

LONGEST = 64
"""Code points beyond which no letter needs to be whole."""


def graphemes(text: str) -> list[str]:
    """Return the grapheme clusters of a text; a mark never begins one, which UAX #29 lets some of Burmese do."""
    if text.isascii():
        return list(text)
    clusters: list[str] = []
    for cluster in iter_graphemes(text):
        if clusters and _is_mark(cluster[0]):
            clusters[-1] += cluster
        else:
            clusters.append(cluster)
    return clusters


def columns(text: str) -> int:
    """Return the width of a text in columns: marks take none, wide letters and emoji two."""
    if text.isascii():
        return len(text)
    return sum(width(cluster, control_codes="ignore") for cluster in graphemes(text))


def continues(before: str, text: str) -> bool:
    """Return whether a text goes on with the last letter of the text before it, as a combining mark does."""
    if not before or not text or (before.isascii() and text.isascii()):
        return False
    if text[0].isspace():
        return _is_mark(text.lstrip()[:1])
    return len(before) not in accumulate(map(len, graphemes(before + text)))


def clipped(text: str, most: int) -> str:
    """Return the whole clusters at the start of a text, at most `most` code points; part of one that is longer."""
    if len(text) <= most or text[: most + 1].isascii():
        return text[:most]
    end = 0
    for cluster in graphemes(text[: most + LONGEST]):
        if end + len(cluster) > most:
            break
        end += len(cluster)
    return text[: end or most]


def shortened(text: str, most: int) -> str:
    """Return a text of at most `most` code points; a longer one is cut at a word and ends with an ellipsis."""
    if len(text) <= most:
        return text
    start = clipped(text, most)
    whole = start.rsplit(" ", 1)[0] if " " in start else start
    return f"{clipped(whole, most - 1).rstrip()}…"


def _is_mark(letter: str) -> bool:
    return bool(letter) and unicodedata.category(letter).startswith("M")
