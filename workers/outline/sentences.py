"""The sentences of a transcript with their start times."""

import re
from bisect import bisect_right
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import accumulate

import numpy as np
from sentencex import segment

from pipeline.types import Transcript
from pipeline.types.graphemes import shortened as cut_at_a_word

LONGEST = 240
"""Characters of a displayed sentence. A longer one without a full stop is split at segment boundaries."""
_WORD = re.compile(r"[^\W\d_]+(?:['’-][^\W\d_]+)*")
_ENDED = re.compile(r"[.!?…。！？]['\"”’»)]*$")
# Languages without spaces between words: pairs of letters replace words.
_UNSPACED = frozenset({"zh", "yue", "ja", "th", "lo", "km", "my"})


@dataclass(frozen=True)
class Sentence:
    """A sentence and its approximate start."""

    text: str
    start_s: float
    words: tuple[str, ...]
    """The words as spelled in the transcript."""

    @property
    def folded(self) -> tuple[str, ...]:
        """The case-folded words."""
        return tuple(word.casefold() for word in self.words)


def sentences(transcript: Transcript) -> list[Sentence]:
    """Return a transcript's sentences in order; starts inside a segment are interpolated."""
    texts = [f"{part.text.strip()} " for part in transcript.segments]
    ends = list(accumulate(map(len, texts)))
    starts = [end - len(text) for end, text in zip(ends, texts, strict=True)]
    offsets = np.array([starts, ends]).T.flatten()
    times_s = [time_s for part in transcript.segments for time_s in (part.start_s, part.end_s)]
    found: list[Sentence] = []
    for offset, text in _pieces(transcript.language, "".join(texts), starts):
        if text.strip():
            start_s = float(np.interp(offset, offsets, times_s))
            found.append(Sentence(text.strip(), start_s, _words(text, transcript.language)))
    return found


def _pieces(language: str, text: str, segment_starts: list[int]) -> Iterator[tuple[int, str]]:
    offset = 0
    for sentence in segment(language, text):
        start, offset = offset, offset + len(sentence)
        while offset - start > LONGEST:
            # Some transcripts have no full stops; their sentences end with the segment in which they are long enough.
            place = bisect_right(segment_starts, start + LONGEST // 2)
            if place == len(segment_starts) or segment_starts[place] >= offset:
                break
            yield start, text[start : segment_starts[place]]
            start = segment_starts[place]
        yield start, text[start:offset]


def _words(text: str, language: str) -> tuple[str, ...]:
    words = _WORD.findall(text)
    if language not in _UNSPACED:
        return tuple(words)
    return tuple(word[at : at + 2] for word in words for at in range(max(1, len(word) - 1)))


def shortened(text: str) -> str:
    """Return a text cut between words to at most `LONGEST` characters."""
    return cut_at_a_word(text, LONGEST)


def ended(text: str) -> str:
    """Return a sentence, with a full stop added if it has no final punctuation."""
    return text if _ENDED.search(text) else f"{text}."
