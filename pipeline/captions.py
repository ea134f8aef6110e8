"""Segments cut into captions that a person can read."""

import textwrap
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import zip_longest

from pipeline.types import Segment, Transcript, Word

LINE_CHARACTERS = 42
LINES = 2
SHORTEST_S = 0.5


@dataclass(frozen=True)
class Caption:
    """Text on the screen from one time to another, in seconds."""

    start_s: float
    end_s: float
    text: str

    @property
    def lines(self) -> str:
        """The text in lines of at most `LINE_CHARACTERS`; only a longer word is broken."""
        return "\n".join(_wrapped(self.text))


def captions(transcript: Transcript) -> Iterator[Caption]:
    """Yield captions in order; each ends before the next begins, and none is too short to be seen."""
    shown: list[Caption] = []
    for caption in sorted((it for segment in transcript.segments for it in _cut(segment)), key=lambda it: it.start_s):
        if shown and _at(caption.start_s) <= _at(shown[-1].start_s):
            before = shown.pop()  # said at once: shown together
            caption = Caption(before.start_s, max(before.end_s, caption.end_s), f"{before.text} {caption.text}")
        shown.append(caption)
    for caption, following in zip_longest(shown, shown[1:]):
        end_s = max(caption.end_s, caption.start_s + SHORTEST_S)
        yield Caption(caption.start_s, min(end_s, following.start_s) if following else end_s, caption.text)


def _at(seconds: float) -> int:
    """Return the millisecond, which is as fine as captions are written."""
    return round(seconds * 1000)


def _cut(segment: Segment) -> Iterator[Caption]:
    if not segment.words:
        if segment.text.strip():
            yield Caption(segment.start_s, segment.end_s, segment.text.strip())
        return
    group: list[Word] = []
    for word in segment.words:
        if group and not _fits([*group, word]):
            yield _caption(group)
            group = []
        group.append(word)
    if _text(group):
        yield _caption(group)


def _wrapped(text: str) -> list[str]:
    return textwrap.wrap(text, LINE_CHARACTERS, break_on_hyphens=False)


def _fits(words: list[Word]) -> bool:
    return len(_wrapped(_text(words))) <= LINES


def _caption(words: list[Word]) -> Caption:
    return Caption(words[0].start_s, words[-1].end_s, _text(words))


def _text(words: list[Word]) -> str:
    return "".join(word.word for word in words).strip()
