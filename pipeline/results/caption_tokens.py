"""Tokens of captions: the words of a transcript, and the names of its speakers."""

from collections.abc import Iterator, Mapping, Sequence
from itertools import accumulate

from pipeline.results.line_breaks import LINE_CHARACTERS, Token, columns
from pipeline.types import MergedSegment, MergedTranscript


def tokens_of(transcript: MergedTranscript) -> list[Token]:
    """Return the tokens of a transcript by their starts; those of a dialogue have their speakers."""
    is_dialogue = bool(transcript.labels)
    tokens = (
        token for segment in transcript.spoken for token in _tokens(segment, segment.speaker if is_dialogue else None)
    )
    return sorted(tokens, key=lambda token: token.start_ms)


def _tokens(segment: MergedSegment, speaker: str | None) -> Iterator[Token]:
    words = [(word.word, word.start_s, word.end_s) for word in segment.words]
    words = words or _spread(segment)
    for place, (text, start_s, end_s) in enumerate(words):
        for piece in _pieces(" ".join(text.split()), begins_with_blank=text[:1].isspace()):
            yield Token(piece, _ms(start_s), _ms(end_s), place == 0, speaker)


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
    for letter in word:
        if columns(pieces[-1] + letter) > LINE_CHARACTERS:
            pieces.append("")
        pieces[-1] += letter
    return [blank + pieces[0], *pieces[1:]]


def _ms(seconds: float) -> int:
    """Return whole milliseconds, the resolution of caption files."""
    return round(seconds * 1000)
