"""Times of words that captions can be made of, whatever times the words have."""

from bisect import bisect_right
from collections.abc import Sequence
from itertools import accumulate, groupby
from math import isfinite

from pipeline.results.line_breaks import LINE_CHARACTERS, Token
from pipeline.types.graphemes import columns

CHARACTERS_PER_S = 17.0
"""Characters that are read in a second, by the guidelines of the BBC and Netflix."""
UNKNOWN_MS = -1


def audio_end_ms(audio_s: float) -> int | None:
    """Return the end of the audio; None if it is not known."""
    return round(audio_s * 1000) if isfinite(audio_s) and audio_s > 0 else None


def ascending(words: Sequence[Token], audio_s: float) -> list[Token]:
    """Return the words with ascending starts within the audio, in their order.

    Of times that do not ascend as few as possible are given up. Words of one and the same time, too many to be read at
    once, share the free time after it, and before it if need be.
    """
    end_ms = audio_end_ms(audio_s)
    if end_ms is not None:
        words = [it._replace(start_ms=min(it.start_ms, end_ms), end_ms=min(it.end_ms, end_ms)) for it in words]
    return _spread(_in_order(words), end_ms)


def _in_order(words: Sequence[Token]) -> list[Token]:
    kept = _longest_ascent([it.start_ms for it in words])
    timed: list[Token] = []
    now_ms = 0
    for place, word in enumerate(words):
        if place in kept:
            now_ms = word.start_ms
        end_ms = max(now_ms, word.end_ms) if place in kept else now_ms
        timed.append(word._replace(start_ms=now_ms, end_ms=end_ms))
    return timed


def _longest_ascent(starts: Sequence[int]) -> set[int]:
    """Return the places of a longest ascending subsequence of the known starts (Fredman 1975)."""
    lowest: list[int] = []
    """The lowest start that ends an ascent, by the ascent's length."""
    lengths = [0] * len(starts)
    for place, start in enumerate(starts):
        if start == UNKNOWN_MS:
            continue
        length = bisect_right(lowest, start)
        lowest[length : length + 1] = [start]
        lengths[place] = length + 1
    kept, wanted = set(), len(lowest)
    for place in range(len(starts) - 1, -1, -1):
        if wanted and lengths[place] == wanted:
            kept.add(place)
            wanted -= 1
    return kept


def _spread(words: Sequence[Token], end_ms: int | None) -> list[Token]:
    groups = [list(group) for _, group in groupby(words, key=lambda it: it.start_ms)]
    timed: list[Token] = []
    for place, group in enumerate(groups):
        widths = list(accumulate(columns(it.text) for it in group))
        if len(group) == 1 or widths[-1] <= LINE_CHARACTERS:
            timed += group
            continue
        start_ms = group[0].start_ms
        until_ms = groups[place + 1][0].start_ms if place + 1 < len(groups) else end_ms
        needed_ms = round(widths[-1] / CHARACTERS_PER_S * 1000)
        said_ms = max(it.end_ms for it in group)
        last_ms = max(said_ms, start_ms + needed_ms)
        last_ms = last_ms if until_ms is None else min(last_ms, max(until_ms, start_ms))
        earliest_ms = min(start_ms, timed[-1].end_ms if timed else 0)
        first_ms = max(earliest_ms, min(start_ms, last_ms - needed_ms))
        each_ms = (last_ms - first_ms) / widths[-1]
        ends = [first_ms + round(end * each_ms) for end in widths]
        starts = [first_ms, *ends]
        timed += [it._replace(start_ms=start, end_ms=end) for it, start, end in zip(group, starts, ends, strict=False)]
    return timed
