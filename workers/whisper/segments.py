"""Conversion of a window's tokens to segments and words with times in the episode."""

from collections.abc import Sequence
from dataclasses import dataclass

from whisper.tokenizer import Tokenizer

from pipeline.types import Segment, Word
from workers.whisper.decoding import Decoded
from workers.whisper.guards import ratio
from workers.whisper.windows import Window
from workers.whisper.word_timing import TimedWord, median_length_s

STEP_S = 0.02  # unit of a timestamp token
PAUSE_S = 1.0
"""Pause at which a text without timestamps is split."""
CLEAR_ENDS = ("?", "!", "。", "！", "？")
CLOSING = "\"'”’)]}"
LONGEST_TITLE = 4  # characters


@dataclass(frozen=True)
class Span:
    """The text between two timestamps, in seconds from the window's start."""

    start_s: float
    end_s: float
    tokens: tuple[int, ...]
    """Text tokens only."""


def spans(tokens: Sequence[int], begin: int, length_s: float) -> list[Span]:
    """Split tokens at their timestamps.

    Args:
        tokens: text and timestamps.
        begin: the token of the timestamp 0.00.
        length_s: the window's length, used as the end of text without a closing timestamp.
    """
    found: list[Span] = []
    text: list[int] = []
    start_s = 0.0
    for token in tokens:
        if token < begin:
            text.append(token)
            continue
        time_s = min((token - begin) * STEP_S, length_s)
        if text:
            found.append(Span(start_s, max(start_s, time_s), tuple(text)))
            text = []
        start_s = time_s
    if text:
        found.append(Span(start_s, length_s, tuple(text)))
    return found


def sentences(words: Sequence[TimedWord], tokens: Sequence[int]) -> list[Span]:
    """Split the tokens of a text without timestamps after its sentences, and at pauses.

    Args:
        words: the timed words of the text.
        tokens: the text.
    """
    found: list[Span] = []
    first, begin = 0, 0
    for last, word in enumerate(words):
        after = words[last + 1] if last + 1 < len(words) else None
        if after is None or after.start_s - word.end_s >= PAUSE_S or _ends_sentence(word.text):
            end = begin + sum(one.tokens for one in words[first : last + 1])
            found.append(Span(words[first].start_s, word.end_s, tuple(tokens[begin:end])))
            first, begin = last + 1, end
    return found


def _ends_sentence(word: str) -> bool:
    """Return whether a word ends a sentence; a short one with a full stop may be a title, like "Mrs."."""
    text = word.strip().rstrip(CLOSING)
    return text.endswith(CLEAR_ENDS) or (text.endswith(".") and len(text) > LONGEST_TITLE)


def segments(window: Window, decoded: Decoded, words: Sequence[TimedWord], tokenizer: Tokenizer) -> list[Segment]:
    """Return the segments of a window, numbered from 0, with times in the episode."""
    compression = ratio(tokenizer.decode(list(decoded.tokens)).strip())
    median_s = median_length_s(words)
    left = list(words)
    result: list[Segment] = []
    begin = tokenizer.timestamp_begin
    is_timed = any(token >= begin for token in decoded.tokens)
    parts = spans(decoded.tokens, begin, window.length_s) if is_timed else sentences(words, decoded.tokens)
    for span in parts:
        own: list[TimedWord] = []
        count = 0
        while left and count < len(span.tokens):
            own.append(left.pop(0))
            count += own[-1].tokens
        text = tokenizer.decode(list(span.tokens))
        if not text.strip():
            continue
        start_s, end_s = _trim_edge_words(span, own, median_s)
        timed = _timed(window, own)
        result.append(
            Segment(
                id=len(result),
                seek=round(window.start_s * 100),
                start_s=timed[0].start_s if timed else round(window.episode_s(start_s), 2),
                end_s=timed[-1].end_s if timed else round(window.episode_s(end_s, closing=True), 2),
                text=text,
                tokens=span.tokens,
                temperature=decoded.temperature,
                avg_logprob=decoded.avg_logprob,
                compression_ratio=compression,
                no_speech_prob=decoded.no_speech_prob,
                words=tuple(timed),
            )
        )
    return result


def _trim_edge_words(span: Span, words: list[TimedWord], median_s: float) -> tuple[float, float]:
    """Shorten a first or last word that includes a pause known from the timestamps; return the span's times."""
    if not words:
        return span.start_s, span.end_s
    first, last = words[0], words[-1]
    if first.start_s + 0.5 < span.start_s < first.end_s:
        first.start_s = max(0.0, min(first.end_s - median_s, span.start_s))
    if last.start_s < span.end_s < last.end_s - 0.5:
        last.end_s = max(last.start_s + median_s, span.end_s)
    return first.start_s, last.end_s


def _timed(window: Window, words: Sequence[TimedWord]) -> list[Word]:
    timed: list[Word] = []
    for word in words:
        start_s = round(window.episode_s(word.start_s), 2)
        end_s = round(window.episode_s(word.end_s, closing=True), 2)
        if timed:
            start_s = max(start_s, timed[-1].start_s)
        timed.append(
            Word(
                word=word.text,
                start_s=start_s,
                end_s=max(start_s, end_s),
                probability=round(word.probability, 4),
            )
        )
    return timed
