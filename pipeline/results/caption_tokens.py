"""Tokens of captions: the words of a transcript, and the names of its speakers."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import accumulate
from math import isfinite

from pipeline.results.line_breaks import LINE_CHARACTERS, Token
from pipeline.results.word_times import UNKNOWN_MS, ascending
from pipeline.types import MergedSegment, MergedTranscript
from pipeline.types.graphemes import columns, continues, graphemes
from pipeline.types.text import one_line


def tokens_of(transcript: MergedTranscript) -> list[Token]:
    """Return the tokens of a transcript, whose starts ascend; those of a dialogue have their speakers."""
    is_dialogue = bool(transcript.labels)
    words = (
        word for segment in transcript.spoken for word in _words(segment, segment.speaker if is_dialogue else None)
    )
    timed = ascending(list(_whole(words)), transcript.audio_s)
    return [
        word._replace(text=piece)
        for word in timed
        for piece in _pieces(word.text.strip(), begins_with_blank=word.text.startswith(" "))
    ]


def _words(segment: MergedSegment, speaker: str | None) -> Iterator[Token]:
    words = [(word.word, word.start_s, word.end_s) for word in segment.words] or _spread(segment)
    for place, (text, start_s, end_s) in enumerate(words):
        if line := one_line(text):
            blank = " " if text[:1].isspace() else ""
            yield Token(blank + line, _ms(start_s), _ms(end_s), place == 0, speaker)


def _whole(words: Iterable[Token]) -> Iterator[Token]:
    """Yield the words, each joined with those that tear its last letter, as tokens of Whisper in some scripts do."""
    last: Token | None = None
    for word in words:
        if last and continues(last.text, word.text):
            last = last._replace(text=last.text + word.text, end_ms=word.end_ms)
            continue
        if last:
            yield last
        last = word
    if last:
        yield last


def labelled(tokens: Sequence[Token], labels: Mapping[str, str]) -> Iterator[Token]:
    """Yield the tokens, with a name in front of each that begins a turn: in one token, if a line has room for it."""
    speaker = None
    for token in tokens:
        label = labels.get(token.speaker or "") if token.text.strip() and token.speaker != speaker else None
        speaker = token.speaker if token.text.strip() else speaker
        if not label:
            yield token
            continue
        joined = f" {label}: {token.text.strip()}"
        if columns(joined) <= LINE_CHARACTERS:
            yield token._replace(text=joined)
            continue
        for word in f"{label}:".split():
            for piece in _pieces(word, begins_with_blank=True):
                yield token._replace(text=piece, end_ms=token.start_ms)
        yield token._replace(text=f" {token.text.strip()}", begins=False)


def _spread(segment: MergedSegment) -> list[tuple[str, float, float]]:
    """Return the words of a segment without word times, each with its start and end by its share of characters."""
    words = [f" {word}" for word in segment.text.split()]
    ends = list(accumulate(map(len, words)))
    each_s = (segment.end_s - segment.start_s) / (ends[-1] if ends else 1)
    starts = [0, *ends]
    return [
        (word, segment.start_s + start * each_s, segment.start_s + end * each_s)
        for word, start, end in zip(words, starts, ends, strict=False)
    ]


def _pieces(word: str, *, begins_with_blank: bool) -> list[str]:
    if not word:
        return []
    blank = " " if begins_with_blank else ""
    if columns(word) <= LINE_CHARACTERS:
        return [blank + word]
    pieces = [""]
    for letter in graphemes(word):
        if columns(pieces[-1] + letter) > LINE_CHARACTERS:
            pieces.append("")
        pieces[-1] += letter
    return [blank + pieces[0], *pieces[1:]]


def _ms(seconds: float) -> int:
    """Return whole milliseconds, the resolution of caption files; `UNKNOWN_MS` for what is no number."""
    return max(0, round(seconds * 1000)) if isfinite(seconds) else UNKNOWN_MS
