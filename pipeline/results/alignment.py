"""Word alignment of two transcripts of the same speech.

Runs of words that occur exactly once in both are anchors, as in patience diff (Bram Cohen). Between anchors, words
are aligned by edit distance (rapidfuzz). So the time grows with the episode's length, not with its square.
"""

import re
from bisect import bisect_left
from collections import Counter
from collections.abc import Sequence
from functools import lru_cache
from typing import NamedTuple

from rapidfuzz.distance import Levenshtein

RUNS = (4, 2, 1)
"""Words of an anchor: long runs first, which are the most reliable; shorter ones in the gaps that are left."""
LARGEST_GAP = 400
"""Maximum words between two anchors for one edit distance; longer gaps are split into pieces."""
_UNIT = re.compile(
    r"[぀-ヿ㐀-䶿一-鿿豈-﫿฀-๿]"  # scripts without blanks: one unit per letter
    r"|[^\W_]+(?:['’.-][^\W_]+)*"
)

Pair = tuple[int, int]


class Unit(NamedTuple):
    """A unit of comparison: a word, or a letter of a script without blanks."""

    text: str
    """Casefolded, without punctuation."""
    start: int
    """Index of its first letter in the text."""
    end: int


def units(text: str) -> list[Unit]:
    """Return the units of a text, in order."""
    return [Unit(it.group().casefold().replace("’", "'"), *it.span()) for it in _UNIT.finditer(text)]


@lru_cache(maxsize=8192)  # most speech consists of few distinct words
def spellings(word: str) -> tuple[str, ...]:
    """Return the texts of the units of a word."""
    return tuple(unit.text for unit in units(word))


def align(ours: Sequence[str], theirs: Sequence[str]) -> list[int | None]:
    """Return for each word of `ours` the index of its partner in `theirs`, or None.

    Partners may be different words; the indices ascend.
    """
    pairs: list[int | None] = [None] * len(ours)
    for our, their in _pairs(ours, theirs, 0, 0, RUNS):
        pairs[our] = their
    return pairs


def likeness(our: str, their: str) -> float:
    """Return the similarity of two words, 0 to 1."""
    return 1.0 if our == their else Levenshtein.normalized_similarity(our, their)


def _pairs(ours: Sequence[str], theirs: Sequence[str], first: int, other: int, runs: tuple[int, ...]) -> list[Pair]:
    """Return the pairs of indices, with the offsets `first` and `other`."""
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
    """Return the indices of runs that occur exactly once on both sides, ascending on both."""
    places = _unique_runs(theirs, length)
    common = [(our, places[run]) for run, our in _unique_runs(ours, length).items() if run in places]
    return _ascending(sorted(common))


def _unique_runs(words: Sequence[str], length: int) -> dict[tuple[str, ...], int]:
    runs = [tuple(words[place : place + length]) for place in range(len(words) - length + 1)]
    counts = Counter(runs)
    return {run: place for place, run in enumerate(runs) if counts[run] == 1}


def _ascending(pairs: Sequence[Pair]) -> list[Pair]:
    """Return the longest subsequence that ascends on both sides."""
    ends: list[int] = []  # smallest last index in `theirs` of a subsequence of each length
    last: list[int] = []  # index in `pairs` of that pair
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
    """Return the pairs of two long runs without anchors, aligned in pieces of proportional length."""
    count = -(-max(len(ours), len(theirs)) // LARGEST_GAP)
    found: list[Pair] = []
    for piece in range(count):
        our = slice(piece * len(ours) // count, (piece + 1) * len(ours) // count)
        their = slice(piece * len(theirs) // count, (piece + 1) * len(theirs) // count)
        found += _by_edits(ours[our], theirs[their], first + our.start, other + their.start)
    return found
