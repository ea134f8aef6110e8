"""The sentences of a transcript, each of one speaker."""

import re
from collections.abc import Iterator
from itertools import groupby
from typing import NamedTuple

from pipeline.types import MergedSegment, MergedTranscript

_ABBREVIATED = re.compile(r"(?:^|\s)(?:Dr|Mr|Mrs|Ms|Prof|St|[^\W\d_])\.$")
"""The end of a text whose full stop ends no sentence: a title, or an initial."""


class Sentence(NamedTuple):
    """A sentence of one speaker."""

    speaker: str | None
    """Id of the speaker; None if it is not known."""
    text: str
    start_s: float


def spoken_sentences(transcript: MergedTranscript) -> list[Sentence]:
    """Return the sentences of a transcript in order; a change of the speaker ends one too."""
    pieces = (piece for segment in transcript.spoken for piece in _pieces(segment))
    found: list[Sentence] = []
    for speaker, own in groupby(pieces, key=lambda it: it.speaker):
        text, start_s = "", 0.0
        for piece in own:
            start_s = start_s if text else piece.start_s
            text = f"{text}{piece.text}" if text else piece.text.lstrip()
            if _ends(text):
                found.append(Sentence(speaker, text.strip(), start_s))
                text = ""
        if text.strip():
            found.append(Sentence(speaker, text.strip(), start_s))
    return found


def _pieces(segment: MergedSegment) -> Iterator[Sentence]:
    """Yield the words of a segment; its sentences, all with its start, where it has no words."""
    if not segment.words:
        for text in re.split(r"(?<=[.!?…])(?=\s)", segment.text):
            yield Sentence(segment.speaker, text, segment.start_s)
    for word in segment.words:
        yield Sentence(word.speaker or segment.speaker, word.word, word.start_s)


def _ends(text: str) -> bool:
    closed = text.rstrip("\"'”’») ")
    return closed.endswith((".", "!", "?", "…", "。", "！", "？")) and not _ABBREVIATED.search(closed)
