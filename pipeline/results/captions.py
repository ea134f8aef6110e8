"""Captions: the words of a transcript in readable groups.

The limits are those of the BBC Subtitle Guidelines and the Netflix Timed Text Style Guide: at most two lines of 42
characters, 17 characters a second, breaks at the end of a clause. Dynamic programming minimizes the cost of all
breaks, as in the line breaking of Knuth and Plass (1981).
"""

from bisect import bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from itertools import accumulate, pairwise

from pipeline.results.caption_tokens import labelled, tokens_of
from pipeline.results.line_breaks import LINE_CHARACTERS, Token, badness, ends_sentence
from pipeline.results.word_times import CHARACTERS_PER_S, audio_end_ms
from pipeline.types import MergedTranscript
from pipeline.types.graphemes import columns

LINES = 2
SHORTEST_MS = 1000
FLASH_MS = 500
"""Time that every caption has, even if it delays the following ones by more than `LATE_MS`."""
LONGEST_MS = 7000
FEW_CHARACTERS = 20
"""Characters below which a caption costs more, since it disappears too soon."""
LATE_MS = 500
"""Maximum delay of a caption's start while the caption before it is still being read."""
AFTER_MS = 1000
"""Maximum display time after a caption's last word, if no other caption follows."""
PAUSE_MS = 1500
"""Pause between two words that always starts a new caption."""

_TORN = 7.0
"""Cost of a caption with the end of one sentence and the beginning of another that continues in the next caption."""
_EACH = 6.0
"""Cost per caption, which minimizes their number."""


@dataclass(frozen=True)
class Caption:
    """One or two lines of text with start and end time."""

    start_ms: int
    end_ms: int
    lines: tuple[str, ...]
    speaker: str | None = None
    """Id of the speaker in a dialogue; None if it is not known, and where only one person speaks."""

    @property
    def text(self) -> str:
        """The lines, joined by line breaks."""
        return "\n".join(self.lines)


@lru_cache(maxsize=1)  # three formats use the same captions
def captions(transcript: MergedTranscript) -> tuple[Caption, ...]:
    """Return the captions of a transcript in order, without overlaps, each of one speaker."""
    return _captions(tokens_of(transcript), transcript.audio_s)


def labelled_captions(transcript: MergedTranscript) -> tuple[Caption, ...]:
    """Return the captions with each speaker's name before the first words of a turn, if it is a dialogue."""
    labels = transcript.labels
    if not labels:
        return captions(transcript)
    return _captions(list(labelled(tokens_of(transcript), labels)), transcript.audio_s)


def _captions(tokens: Sequence[Token], audio_s: float) -> tuple[Caption, ...]:
    groups = [group for run in _runs(tokens) for group in _break_run(run)]
    shown = _add_times([group for group in groups if _text(group)])
    return tuple(_until(shown, audio_end_ms(audio_s)))


def _runs(tokens: Sequence[Token]) -> Iterator[Sequence[Token]]:
    """Yield runs of tokens of one speaker, without a pause of `PAUSE_MS`."""
    start = 0
    for place in range(1, len(tokens) + 1):
        if place == len(tokens) or _breaks(tokens[place - 1], tokens[place]):
            if start < place:
                yield tokens[start:place]
            start = place


def _breaks(token: Token, following: Token) -> bool:
    return following.speaker != token.speaker or following.start_ms - token.end_ms >= PAUSE_MS


def _break_run(run: Sequence[Token]) -> list[Sequence[Token]]:
    """Return the captions of a run with the least total cost."""
    ruler = LineMeasure(run)
    bad = [badness(run, place) for place in range(len(run))]
    ends = (place + 1 if ends_sentence(token.text) else 0 for place, token in enumerate(run))
    last_end = list(accumulate(ends, max))
    best = [0.0] + [float("inf")] * len(run)
    came_from = [0] * (len(run) + 1)
    for start in range(len(run)):
        so_far = best[start] + _EACH
        for end in range(start + 1, ruler.last_that_fits(start) + 1):
            cost = so_far + bad[end - 1] + (_TORN if start < last_end[end - 1] < end else 0.0)
            if cost >= best[end]:
                continue
            cost += ruler.strain(start, end)
            if cost < best[end]:
                best[end], came_from[end] = cost, start
    cuts = [len(run)]
    while cuts[-1]:
        cuts.append(came_from[cuts[-1]])
    cuts.reverse()
    return [run[start:end] for start, end in pairwise(cuts)]


class LineMeasure:
    """Widths and costs of slices of a run, without joining their texts."""

    def __init__(self, run: Sequence[Token]) -> None:
        self._run = run
        self._ends = list(accumulate(columns(token.text) for token in run))
        self._blanks = [token.text.startswith(" ") for token in run]

    def width(self, start: int, end: int) -> int:
        """Return the width in columns of the tokens from `start` to `end`."""
        return self._ends[end - 1] - (self._ends[start - 1] if start else 0) - self._blanks[start]

    def line_end(self, start: int) -> int:
        """Return the end of the tokens that fit on one line from `start`."""
        before = self._ends[start - 1] if start else 0
        return bisect_right(self._ends, before + LINE_CHARACTERS + self._blanks[start], lo=start)

    def last_that_fits(self, start: int) -> int:
        """Return the end of the tokens that fit into one caption from `start`."""
        end = start
        for _ in range(LINES):
            if end < len(self._run):
                end = max(end + 1, self.line_end(end))
        return end

    def strain(self, start: int, end: int) -> float:
        """Return the cost of a caption's width and duration."""
        spoken_ms = self._run[end - 1].end_ms - self._run[start].start_ms
        width = self._ends[end - 1] - (self._ends[start - 1] if start else 0) - self._blanks[start]
        cost = 1.0 if width > LINE_CHARACTERS else 0.0
        if width < FEW_CHARACTERS:
            cost += (FEW_CHARACTERS - width) / 3
        if spoken_ms < SHORTEST_MS:
            cost += (SHORTEST_MS - spoken_ms) / 150
        elif spoken_ms > LONGEST_MS:
            cost += (spoken_ms - LONGEST_MS) / 100
        return cost


def _add_times(groups: Sequence[Sequence[Token]]) -> list[Caption]:
    """Return the captions with times long enough to read, as far as the following captions allow."""
    shown: list[Caption] = []
    for place, group in enumerate(groups):
        lines = _lines(group)
        start_ms, last_ms = group[0].start_ms, max(token.end_ms for token in group)
        start_ms = max(start_ms, shown[-1].end_ms if shown else 0)
        reading_ms = round(sum(map(columns, lines)) / CHARACTERS_PER_S * 1000)
        wanted_ms = start_ms + max(SHORTEST_MS, min(LONGEST_MS, reading_ms))
        end_ms = max(last_ms, min(wanted_ms, last_ms + AFTER_MS))
        if place + 1 < len(groups):
            # The next caption is delayed a little by one that takes longer to read than to speak.
            end_ms = min(end_ms, groups[place + 1][0].start_ms + LATE_MS)
        shown.append(Caption(start_ms, max(end_ms, start_ms + FLASH_MS), lines, group[0].speaker))
    return shown


def _until(shown: list[Caption], audio_ms: int | None) -> list[Caption]:
    """Return the captions, those after the end of the audio moved before it as far as there is room."""
    after_ms = max(audio_ms or 0, FLASH_MS * len(shown))
    for place in range(len(shown) - 1 if audio_ms else -1, -1, -1):
        caption = shown[place]
        if caption.end_ms <= after_ms:
            break
        start_ms = min(caption.start_ms, after_ms - FLASH_MS)
        shown[place] = replace(caption, start_ms=start_ms, end_ms=after_ms)
        after_ms = start_ms
    return shown


def _lines(group: Sequence[Token]) -> tuple[str, ...]:
    """Return one line, or two with the best break; a longer lower line is preferred."""
    ruler = LineMeasure(group)
    if ruler.width(0, len(group)) <= LINE_CHARACTERS:
        return (_text(group),)
    fitting = [
        place
        for place in range(1, len(group))
        if ruler.width(0, place) <= LINE_CHARACTERS and ruler.width(place, len(group)) <= LINE_CHARACTERS
    ]
    if not fitting:
        return (_text(group),)

    def cost(place: int) -> float:
        upper, lower = ruler.width(0, place), ruler.width(place, len(group))
        return badness(group, place - 1) + abs(lower - upper) / 3 + (2.0 if upper > lower else 0.0)

    best = min(fitting, key=cost)
    return _text(group[:best]), _text(group[best:])


def _text(group: Sequence[Token]) -> str:
    text = "".join(token.text for token in group).strip()
    return text.replace("-->", "→")  # it separates the times in caption files
