"""Two readings of the same speech, word by word beside each other.

Runs of words that both have exactly once are anchors (the idea of patience diff, Bram Cohen); between anchors
the edit distance decides (rapidfuzz). So the work grows with the episode's length, not with its square.
"""

import re
from bisect import bisect_left
from collections import Counter
from collections.abc import Sequence
from functools import lru_cache
from typing import NamedTuple

from rapidfuzz.distance import Levenshtein

RUNS = (4, 2, 1)
"""How many words make an anchor: long runs first, since they are right; shorter ones where those leave much open."""
LARGEST_GAP = 400
"""Words between two anchors that are compared each with each; more are looked at in pieces."""
_UNIT = re.compile(
    r"[぀-ヿ㐀-䶿一-鿿豈-﫿฀-๿]"  # scripts without blanks: a letter each
    r"|[^\W_]+(?:['’.-][^\W_]+)*"
)

Pair = tuple[int, int]


class Unit(NamedTuple):
    """A unit of comparison: a word, or a letter of a script without blanks."""

    text: str
    """Without case and punctuation."""
    start: int
    """Its first letter in the text that it is of."""
    end: int


def units(text: str) -> list[Unit]:
    """Return the units of a text, in order."""
    return [Unit(it.group().casefold().replace("’", "'"), *it.span()) for it in _UNIT.finditer(text)]


@lru_cache(maxsize=8192)  # most of what is said are the same few words
def spellings(word: str) -> tuple[str, ...]:
    """Return the units of a word as they are compared."""
    return tuple(unit.text for unit in units(word))


def align(ours: Sequence[str], theirs: Sequence[str]) -> list[int | None]:
    """Return for each of our words the place of theirs that stands for it, or None.

    What stands for another may be another word in its place; places ascend.
    """
    pairs: list[int | None] = [None] * len(ours)
    for our, their in _pairs(ours, theirs, 0, 0, RUNS):
        pairs[our] = their
    return pairs


def likeness(our: str, their: str) -> float:
    """Return the similarity of two words, 0 to 1."""
    return 1.0 if our == their else Levenshtein.normalized_similarity(our, their)


def _pairs(ours: Sequence[str], theirs: Sequence[str], first: int, other: int, runs: tuple[int, ...]) -> list[Pair]:
    """Return the pairs of places, counted from `first` and `other`."""
    if not ours or not theirs:
        return []
    if max(len(ours), len(theirs)) <= LARGEST_GAP:
        return _by_edits(ours, theirs, first, other)
    if not runs:
        return _in_pieces(ours, theirs, first, other)
    found: list[Pair] = []
    before = (0, 0)
    for our, their in [*_anchors(ours, theirs, runs[0]), (len(ours), len(theirs))]:
        gap = ours[before[0] : our], theirs[before[1] : their]
        found += _pairs(*gap, first + before[0], other + before[1], runs[1:])
        if our < len(ours):
            found.append((first + our, other + their))
        before = (our + 1, their + 1)
    return found


def _anchors(ours: Sequence[str], theirs: Sequence[str], length: int) -> list[Pair]:
    """Return the places of runs that both sides have exactly once, in an order that ascends on both."""
    places = _unique_runs(theirs, length)
    common = [(our, places[run]) for run, our in _unique_runs(ours, length).items() if run in places]
    return _ascending(sorted(common))


def _unique_runs(words: Sequence[str], length: int) -> dict[tuple[str, ...], int]:
    runs = [tuple(words[place : place + length]) for place in range(len(words) - length + 1)]
    counts = Counter(runs)
    return {run: place for place, run in enumerate(runs) if counts[run] == 1}


def _ascending(pairs: Sequence[Pair]) -> list[Pair]:
    """Return the longest subsequence that ascends on both sides."""
    ends: list[int] = []  # their last place of the best subsequence of each length
    last: list[int] = []  # its index in `pairs`
    before: list[int] = []
    for index, (_, their) in enumerate(pairs):
        length = bisect_left(ends, their)
        before.append(last[length - 1] if length else -1)
        if length == len(ends):
            ends.append(their)
            last.append(index)
        else:
            ends[length], last[length] = their, index
    chosen: list[Pair] = []
    index = last[-1] if last else -1
    while index >= 0:
        chosen.append(pairs[index])
        index = before[index]
    return chosen[::-1]


def _by_edits(ours: Sequence[str], theirs: Sequence[str], first: int, other: int) -> list[Pair]:
    found: list[Pair] = []
    for block in Levenshtein.opcodes(ours, theirs):
        if block.tag in ("equal", "replace"):
            lengths = range(block.src_end - block.src_start)
            found += [(first + block.src_start + n, other + block.dest_start + n) for n in lengths]
    return found


def _in_pieces(ours: Sequence[str], theirs: Sequence[str], first: int, other: int) -> list[Pair]:
    """Compare two long stretches that have nothing in common to hold on to, piece by piece."""
    count = -(-max(len(ours), len(theirs)) // LARGEST_GAP)
    found: list[Pair] = []
    for piece in range(count):
        our = slice(piece * len(ours) // count, (piece + 1) * len(ours) // count)
        their = slice(piece * len(theirs) // count, (piece + 1) * len(theirs) // count)
        found += _by_edits(ours[our], theirs[their], first + our.start, other + their.start)
    return found
