"""The transcript in the page: turns, paragraphs and words with their times."""

import html
from collections.abc import Iterator, Sequence
from itertools import groupby

from pipeline.results.paragraphs import paragraphs
from pipeline.results.player.cast import Cast
from pipeline.results.player.doubts import is_doubtful, readings
from pipeline.results.player.panels import jump
from pipeline.types import MergedSegment, MergedTranscript, MergedWord


def spoken(transcript: MergedTranscript, cast: Cast) -> Iterator[str]:
    """Yield the HTML of each speaker's turn; of each paragraph where there is one speaker."""
    for speaker, turn in groupby(paragraphs(transcript), key=lambda paragraph: paragraph[0].speaker):
        yield cast.turn(speaker, "\n".join(map(_paragraph, turn)))


def _paragraph(segments: Sequence[MergedSegment]) -> str:
    """Return the HTML of a paragraph, with its number of letters, from which the style guesses its height."""
    words = "".join(_segment(segment) for segment in segments)
    length = sum(len(segment.text) for segment in segments)
    return f'<p style="--c:{length}">{jump(segments[0].start_s)} {words}</p>'


def _segment(segment: MergedSegment) -> str:
    """Return the HTML of a segment's words; the first one is marked, and uncertain ones have both models' texts."""
    words = segment.words or (
        MergedWord(word=segment.text, start_s=segment.start_s, end_s=segment.end_s, probability=1.0),
    )
    return "".join(_word(word, segment, " data-s" if place == 0 else "") for place, word in enumerate(words))


def _word(word: MergedWord, segment: MergedSegment, mark: str) -> str:
    text = html.escape(word.word.strip())
    blank = " " if word.word[:1].isspace() else ""
    doubt = f' class="doubt" title="{html.escape(readings(segment))}"' if is_doubtful(word, segment) else ""
    return f'{blank}<span data-t="{word.start_s:.2f}"{mark}{doubt}>{text}</span>'
