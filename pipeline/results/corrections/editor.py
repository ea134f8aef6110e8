"""An editor of a transcript's words, which finds them by time and text."""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from pipeline.results.corrections.respacing import Placed, replaced, spread, tokens
from pipeline.types import MergedSegment, MergedTranscript, MergedWord

NEARBY_S = 1.0
"""Greatest distance in seconds of the words from the time at which they were corrected."""
REMOVED = "Removed by a correction."


class Found(NamedTuple):
    """Neighbouring words, in one segment or in several."""

    first: tuple[int, int]
    """Index of the segment and of the word in it."""
    last: tuple[int, int]


class Editor:
    """The segments of a transcript, of which each is changed as a whole and kept as it was."""

    def __init__(self, transcript: MergedTranscript) -> None:
        self._before = transcript
        self._spoken = [index for index, it in enumerate(transcript.segments) if not it.dropped]
        self._order = {index: place for place, index in enumerate(self._spoken)}
        self._words = {index: _words(transcript.segments[index]) for index in self._spoken}
        self._changed: set[int] = set()
        self._slots: defaultdict[int, list[int]] = defaultdict(list)
        for index in self._spoken:
            segment = transcript.segments[index]
            for slot in range(int(segment.start_s - NEARBY_S), int(segment.end_s + NEARBY_S) + 1):
                self._slots[slot].append(index)

    def words(self) -> Iterator[tuple[tuple[int, int], Placed]]:
        """Yield the words of the text with their places, in order."""
        for index in self._spoken:
            for place, word in enumerate(self._words[index]):
                yield (index, place), word

    def find(self, start_s: float, text: str, within_s: float = NEARBY_S) -> Found | None:
        """Return the words with this text that begin nearest to a time; None if there are none nearby.

        Args:
            start_s: start of the first word in seconds.
            text: the words as they are written, or with a blank between any two.
            within_s: greatest distance from that time in seconds.
        """
        letters = "".join(text.split())
        near = [
            (abs(word.word.start_s - start_s), index, place)
            for index in self._slots.get(int(start_s), ())
            for place, word in enumerate(self._words[index])
            if abs(word.word.start_s - start_s) <= within_s and word.letters and letters.startswith(word.letters)
        ]
        for _, index, place in sorted(near):
            last = self._end(index, place, letters)
            if last and " ".join(text.split()) in self._texts(Found((index, place), last)):
                return Found((index, place), last)
        return None

    def replace(self, found: Found, text: str) -> None:
        """Put other words in the place of those that were found; no text removes them."""
        old = list(self._between(found))
        new = replaced(old, text)
        for index in {it for it, _ in old} | {it for it, _ in new}:
            words = self._words[index]
            start = found.first[1] if index == found.first[0] else 0
            end = found.last[1] + 1 if index == found.last[0] else len(words)
            words[start:end] = [word for at, word in new if at == index]
            self._changed.add(index)

    def transcript(self) -> MergedTranscript:
        """Return the transcript as it is now."""
        if not self._changed:
            return self._before
        segments = list(self._before.segments)
        for index in self._changed:
            segments[index] = _segment(segments[index], self._words[index])
        return self._before.with_segments(segments)

    def changed(self) -> dict[int, MergedSegment]:
        """Return the changed segments as they were, by index."""
        return {index: self._before.segments[index] for index in sorted(self._changed)}

    def text_at(self, start_s: float, count: int) -> str:
        """Return some words from that on which begins nearest to a time, with blanks between them."""
        words = [it.word for _, it in self.words()]
        first = min(range(len(words)), key=lambda it: abs(words[it].start_s - start_s), default=0)
        return " ".join("".join(it.word for it in words[first : first + count]).split())

    def _between(self, found: Found) -> Iterator[tuple[int, Placed]]:
        for index in self._spoken[self._order[found.first[0]] : self._order[found.last[0]] + 1]:
            start = found.first[1] if index == found.first[0] else 0
            end = found.last[1] + 1 if index == found.last[0] else None
            yield from ((index, word) for word in self._words[index][start:end])

    def _texts(self, found: Found) -> tuple[str, str]:
        """Return words as they are written, and with a blank between any two."""
        words = [it.word.word for _, it in self._between(found)]
        return " ".join("".join(words).split()), " ".join(" ".join(words).split())

    def _end(self, index: int, place: int, letters: str) -> tuple[int, int] | None:
        """Return the place of the last of the words from a place on that have just these letters."""
        for at in self._spoken[self._order[index] :]:
            for number in range(place, len(self._words[at])):
                own = self._words[at][number].letters
                if not letters.startswith(own):
                    return None
                letters = letters[len(own) :]
                if not letters:
                    return at, number
            place = 0
        return None


def _words(segment: MergedSegment) -> list[Placed]:
    """Return the words of a segment; those without word times share its time by their length."""
    if segment.words:
        return [Placed(word) for word in segment.words]
    whole = MergedWord(
        word=segment.text,
        start_s=segment.start_s,
        end_s=segment.end_s,
        probability=1.0,
        speaker=segment.speaker,
        agreement=segment.agreement,
    )
    parts = spread([(0, Placed(whole))], tokens(segment.text, segment.text)) if segment.text.strip() else []
    return [Placed(it.word) for _, it in parts]


def _segment(segment: MergedSegment, words: Sequence[Placed]) -> MergedSegment:
    text = "".join(it.word.word for it in words)
    own = tuple(it.word for it in words) if segment.words else ()
    return segment.model_copy(update={"text": text, "words": own, "dropped": "" if text.strip() else REMOVED})
