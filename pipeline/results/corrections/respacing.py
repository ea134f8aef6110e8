"""New words in the time of old ones."""

import re
from collections.abc import Hashable, Sequence
from difflib import SequenceMatcher
from itertools import accumulate
from typing import NamedTuple

from pipeline.types import MergedWord

_EACH = "\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff"
"""Letters that are words of their own: Chinese characters and Japanese kana."""
_TOKEN = re.compile(rf"\s*(?:[{_EACH}][^\w\s]*|[^\s{_EACH}]+)")
MILLISECONDS = 3
LONG = 2_000
"""Words beyond which a comparison of all words would take tens of seconds."""


class Placed(NamedTuple):
    """A word of a transcript."""

    word: MergedWord
    is_new: bool = False
    """Whether a correction wrote it."""

    @property
    def letters(self) -> str:
        """The word without blanks."""
        return "".join(self.word.word.split())


Indexed = tuple[int, Placed]
"""A word with the index of its segment."""


def replaced(old: Sequence[Indexed], text: str) -> list[Indexed]:
    """Return the words of a text in the place of others, each in the segment, and of the speaker, at its time.

    Words that both have keep their times, and so do as many words as there were. Others share the time of those that
    they replace by their length.

    Args:
        old: neighbouring words with the indices of their segments; at least one.
        text: the new text.
    """
    new = tokens(text, old[0][1].word.word)
    found: list[Indexed] = []
    whole = (0, len(old), 0, len(new))
    runs = blocks([it.letters for _, it in old], [it.strip() for it in new])
    for start, end, first, last in [whole] if len(old) == len(new) else runs:
        if end - start == last - first:
            found += [_spelt(it, token) for it, token in zip(old[start:end], new[first:last], strict=True)]
        elif first < last:
            found += spread(old[start:end], new[first:last])
    return found


def blocks(old: Sequence[Hashable], new: Sequence[Hashable]) -> list[tuple[int, int, int, int]]:
    """Return pairs of runs, each as start and end in both; a run in the old is never empty.

    What is added belongs to what is before it, or else after it, as it has no place of its own.
    """
    found: list[tuple[int, int, int, int]] = []
    added = False
    # Of many words, the most frequent are no anchors.
    matcher = SequenceMatcher(None, old, new, autojunk=len(new) > LONG)
    for tag, start, end, first, last in matcher.get_opcodes():
        if tag == "insert" and found:
            found[-1] = (*found[-1][:3], last)
        elif tag == "insert":
            added = True
        elif tag == "equal":
            found += [(start + n, start + n + 1, first + n, first + n + 1) for n in range(end - start)]
        else:
            found.append((start, end, first, last))
    if added and found:
        found[0] = (*found[0][:2], 0, found[0][3])
    return found


def tokens(text: str, before: str) -> list[str]:
    """Return the words of a text, each with the blank in front of it; the first begins as the old one did."""
    joined = re.sub(rf"(?<=[{_EACH}])\s+(?=[{_EACH}])", "", text.strip())
    return _TOKEN.findall((" " if before[:1].isspace() else "") + joined)


def _spelt(old: Indexed, token: str) -> Indexed:
    """Return a word with another spelling, at its time."""
    index, placed = old
    if token.strip() == placed.letters:
        return old
    return index, _new(placed.word, word=token)


def spread(old: Sequence[Indexed], new: Sequence[str]) -> list[Indexed]:
    """Return words that share the time of others by their length."""
    start_s = old[0][1].word.start_s
    span_s = max(0.0, max(it.word.end_s for _, it in old) - start_s)
    ends = list(accumulate(len(it.strip()) for it in new))
    times = [round(start_s + span_s * end / ends[-1], MILLISECONDS) for end in (0, *ends)]
    found: list[Indexed] = []
    for token, own_s, end_s in zip(new, times, times[1:], strict=False):
        index, placed = next((it for it in reversed(old) if it[1].word.start_s <= (own_s + end_s) / 2), old[0])
        found.append((index, _new(placed.word, word=token, start_s=own_s, end_s=end_s)))
    return found


def _new(old: MergedWord, **fields: object) -> Placed:
    """Return a word that a reader wrote, so that nobody doubts it."""
    return Placed(old.model_copy(update={"probability": 1.0, "agreement": None, **fields}), is_new=True)
