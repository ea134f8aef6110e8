"""Timestamps of Voxtral's analysis, from the times of Whisper's words.

A quote is located by fuzzy string matching (rapidfuzz), a paraphrase by the densest cluster of its rare words.
"""

from bisect import bisect_right
from collections import defaultdict
from collections.abc import Sequence
from itertools import pairwise
from math import log
from typing import TypeVar

from rapidfuzz import fuzz

from pipeline.results.alignment import spellings, units
from pipeline.results.stopwords import STOPWORDS
from pipeline.types import Analysis, Chapter, CustomAnswer, MergedTranscript, Timestamped

ALIKE = 75.0
"""Minimum similarity in percent of a quote and its match."""
MOST_PLACES = 60
"""Occurrences above which a word is not used to locate a quote."""
CANDIDATES = 4
SLACK = 4
"""Words by which a quote may be longer or shorter in the transcript."""
CLOSE = 60
"""Maximum length in words of a statement's span."""
TOLD_SHARE = 0.34
"""Minimum share of a statement's weight within its span."""
STEM = 5
"""Letters of a word compared in a paraphrase: *scatters* matches *scattered*."""
SNAP_S = 6.0
"""Maximum shift in seconds of a chapter to the beginning of a sentence."""

AnyAnchored = TypeVar("AnyAnchored", bound=Timestamped)


def add_timestamps(analysis: Analysis, transcript: MergedTranscript) -> Analysis:
    """Return the analysis with times of its chapters, quotes, key points, actions and answers."""
    index = Index(transcript)
    return analysis.model_copy(
        update={
            "chapters": tuple(_chapters(analysis, index, transcript.audio_s)),
            "quotes": tuple(_at(it, index.of_quote(it.text)) for it in analysis.quotes),
            "key_points": tuple(_at(it, index.of_statement(it.text)) for it in analysis.key_points),
            "action_items": tuple(_at(it, index.of_statement(it.text)) for it in analysis.action_items),
            "answers": tuple(_answer(it, index) for it in analysis.answers),
        }
    )


class Index:
    """An index of an episode's words by spelling and stem."""

    def __init__(self, transcript: MergedTranscript) -> None:
        self._texts: list[str] = []
        self._times: list[tuple[float, float]] = []
        self._sentence_starts = [0]
        for segment in transcript.spoken:
            for word in segment.words:
                for text in spellings(word.word):
                    self._texts.append(text)
                    self._times.append((word.start_s, word.end_s))
                if word.word.rstrip("\"'”’») ").endswith((".", "!", "?", "…", "。", "！", "？")):
                    self._sentence_starts.append(len(self._texts))
        self._places: defaultdict[str, list[int]] = defaultdict(list)
        self._stems: defaultdict[str, list[int]] = defaultdict(list)
        for place, text in enumerate(self._texts):
            self._places[text].append(place)
            if text not in STOPWORDS:
                self._stems[text[:STEM]].append(place)

    def of_quote(self, text: str) -> tuple[float, float] | None:
        """Return start and end in seconds of the best match of a quote; None if none is similar enough."""
        wanted = [unit.text for unit in units(text)]
        best: tuple[float, int, int] = (ALIKE, 0, 0)
        for start in self._candidates(wanted):
            first = max(0, start - SLACK)
            window = self._texts[first : start + len(wanted) + SLACK]
            found = fuzz.partial_ratio_alignment(" ".join(wanted), " ".join(window), score_cutoff=best[0])
            if found and found.score > best[0]:
                began, ended = _words_between(window, found.dest_start, found.dest_end)
                best = (found.score, first + began, first + ended)
        if best[2] == 0:
            return None
        return self._times[best[1]][0], self._times[best[2] - 1][1]

    def of_statement(self, text: str) -> tuple[float, float] | None:
        """Return start and end in seconds of the sentences that make a statement; None if that is uncertain."""
        weights = self._weights(text)
        hits = sorted((place, stem) for stem in weights for place in self._stems[stem])
        best, place_of_best = 0.0, (0, 0)
        inside: defaultdict[str, int] = defaultdict(int)
        first, weight = 0, 0.0
        for last, (place, stem) in enumerate(hits):
            weight += weights[stem] if not inside[stem] else 0.0
            inside[stem] += 1
            # Drop a word at the edge of the span that occurs in it again.
            while place - hits[first][0] > CLOSE or (first < last and inside[hits[first][1]] > 1):
                gone = hits[first][1]
                inside[gone] -= 1
                weight -= weights[gone] if not inside[gone] else 0.0
                first += 1
            if weight > best + 1e-9:
                best, place_of_best = weight, (hits[first][0], hits[last][0])
        found = sum(count > 0 for count in (len(self._stems[stem]) for stem in weights))
        if found < 2 or best < TOLD_SHARE * sum(weights.values()):
            return None
        return self._sentences(*place_of_best)

    def sentence_start_s(self, near_s: float) -> float | None:
        """Return the start in seconds of a sentence that is nearest to a time; None without any words."""
        starts = [self._times[place][0] for place in self._sentence_starts if place < len(self._times)]
        place = bisect_right(starts, near_s)
        return min(starts[max(0, place - 1) : place + 1], key=lambda start_s: abs(start_s - near_s), default=None)

    def _candidates(self, wanted: Sequence[str]) -> list[int]:
        """Return the likeliest first words of a quote, by the votes of its rarer words."""
        votes: defaultdict[int, float] = defaultdict(float)
        for offset, text in enumerate(wanted):
            places = self._places.get(text, [])
            if len(places) <= MOST_PLACES:
                for place in places:
                    for start in range(place - offset - 2, place - offset + 3):
                        votes[start] += 1 / (1 + len(places))
        best = sorted(votes, key=lambda start: (-votes[start], start))
        return [max(0, start) for start in best[:CANDIDATES]]

    def _weights(self, text: str) -> dict[str, float]:
        """Return the stems of a statement with their weights, which are larger for rarer stems."""
        stems = {unit.text[:STEM] for unit in units(text) if unit.text not in STOPWORDS}
        return {stem: log(1 + len(self._texts) / (1 + len(self._stems.get(stem, ())))) for stem in stems}

    def _sentences(self, first: int, last: int) -> tuple[float, float]:
        """Return start and end in seconds of the sentences from one word to another."""
        began = self._sentence_starts[bisect_right(self._sentence_starts, first) - 1]
        after = bisect_right(self._sentence_starts, last)
        ended = self._sentence_starts[after] if after < len(self._sentence_starts) else len(self._texts)
        return self._times[began][0], self._times[min(ended, len(self._texts)) - 1][1]


def _chapters(analysis: Analysis, index: Index, audio_s: float) -> list[Chapter]:
    """Return the chapters in order, each starting with a sentence if one is near, and ending at the next chapter.

    A publisher's chapters keep their starts.
    """
    starts = []
    for chapter in sorted(analysis.chapters, key=lambda chapter: chapter.start_s):
        may_move = chapter.start_s > 0 and analysis.chapters_source != "publisher"
        near_s = index.sentence_start_s(chapter.start_s) if may_move else None
        moves = near_s is not None and abs(near_s - chapter.start_s) <= SNAP_S
        starts.append(chapter.model_copy(update={"start_s": near_s if moves else chapter.start_s}))
    ends = [after.start_s for _, after in pairwise(starts)] + [audio_s]
    return [it.model_copy(update={"end_s": max(it.start_s, end_s)}) for it, end_s in zip(starts, ends, strict=False)]


def _answer(answer: CustomAnswer, index: Index) -> CustomAnswer:
    """Return an answer with the times of its quotes, and with that of the first one found as its own.

    An answer without such a quote is located as a statement.
    """
    quotes = tuple(_at(it, index.of_quote(it.text)) for it in answer.quotes)
    first = next(((it.start_s, it.end_s) for it in quotes if it.start_s is not None and it.end_s is not None), None)
    return _at(answer.model_copy(update={"quotes": quotes}), first or index.of_statement(answer.answer or ""))


def _at(it: AnyAnchored, times: tuple[float, float] | None) -> AnyAnchored:
    return it.model_copy(update={"start_s": times[0], "end_s": times[1]}) if times else it


def _words_between(words: Sequence[str], start: int, end: int) -> tuple[int, int]:
    """Return first and end index of the words that overlap the characters `start` to `end` of the joined text."""
    began = ended = position = 0
    for place, word in enumerate(words):
        if position + len(word) <= start:
            began = place + 1
        if position < end:
            ended = place + 1
        position += len(word) + 1
    return min(began, ended - 1) if ended else 0, ended
