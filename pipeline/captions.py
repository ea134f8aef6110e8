"""Segments cut into captions that a person can read."""

import textwrap
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import zip_longest

from pipeline.types import Segment, Transcript, Word

LINE_CHARACTERS = 42
LINES = 2


@dataclass(frozen=True)
class Caption:
    """Text on the screen from one time to another, in seconds."""

    start_s: float
    end_s: float
    text: str

    @property
    def lines(self) -> str:
        """The text in lines of at most `LINE_CHARACTERS`; only a longer word is broken."""
        return "\n".join(textwrap.wrap(self.text, LINE_CHARACTERS))


def captions(transcript: Transcript) -> Iterator[Caption]:
    """Yield captions in order; each ends before the next begins."""
    cut = [caption for segment in transcript.segments for caption in _cut(segment) if caption.text]
    for caption, following in zip_longest(cut, cut[1:]):
        end_s = min(caption.end_s, following.start_s) if following else caption.end_s
        if end_s > caption.start_s:
            yield Caption(caption.start_s, end_s, caption.text)


def _cut(segment: Segment) -> Iterator[Caption]:
    if not segment.words:
        yield Caption(segment.start_s, segment.end_s, segment.text.strip())
        return
    group: list[Word] = []
    for word in segment.words:
        if group and not _fits([*group, word]):
            yield _caption(group)
            group = []
        group.append(word)
    yield _caption(group)


def _fits(words: list[Word]) -> bool:
    return len(textwrap.wrap(_text(words), LINE_CHARACTERS)) <= LINES


def _caption(words: list[Word]) -> Caption:
    return Caption(words[0].start_s, words[-1].end_s, _text(words))


def _text(words: list[Word]) -> str:
    return "".join(word.word for word in words).strip()
