"""Agreement of Voxtral's text with Whisper's, per segment and word."""

from collections.abc import Sequence
from typing import NamedTuple

from pydantic import TypeAdapter

from pipeline.results.alignment import Unit, align, likeness, spellings, units
from pipeline.types import MergedSegment, MergedWord

_WORDS = TypeAdapter(tuple[MergedWord, ...])


class WordIndex(NamedTuple):
    """The position of a unit: its segment, and its word there."""

    segment: int
    word: int


def compared(segments: Sequence[MergedSegment], reading: str) -> list[MergedSegment]:
    """Return the segments with the agreement of each word and segment, and with Voxtral's text where it differs.

    Args:
        segments: Whisper's segments, in order.
        reading: Voxtral's text of the same span of audio.
    """
    ours: list[str] = []
    places: list[WordIndex] = []
    for number, segment in enumerate(segments):
        for place, word in enumerate(segment.words or _words_of(segment)):
            found = spellings(word.word)
            ours += found
            places += [WordIndex(number, place)] * len(found)
    theirs = units(reading)
    pairs = align(ours, [unit.text for unit in theirs])
    scores = [0.0 if pair is None else likeness(our, theirs[pair].text) for our, pair in zip(ours, pairs, strict=True)]
    own_readings = _by_owner(theirs, pairs, places, len(segments))
    shares = zip(segments, _by_segment(places, scores, len(segments)), own_readings, strict=True)
    return [_with_agreement(segment, own, read, reading) for segment, own, read in shares]


def _by_segment(places: Sequence[WordIndex], scores: Sequence[float], count: int) -> list[list[tuple[int, float]]]:
    found: list[list[tuple[int, float]]] = [[] for _ in range(count)]
    for place, score in zip(places, scores, strict=True):
        found[place.segment].append((place.word, score))
    return found


def _by_owner(
    theirs: Sequence[Unit], pairs: Sequence[int | None], places: Sequence[WordIndex], count: int
) -> list[list[Unit]]:
    """Return Voxtral's units of each segment; a unit without a partner belongs to the segment before it."""
    owner: list[int | None] = [None] * len(theirs)
    for pair, place in zip(pairs, places, strict=True):
        if pair is not None:
            owner[pair] = place.segment
    shares: list[list[Unit]] = [[] for _ in range(count)]
    if not shares:
        return shares
    current = next((number for number in owner if number is not None), 0)
    for unit, number in zip(theirs, owner, strict=True):
        current = current if number is None else number
        shares[current].append(unit)
    return shares


def _with_agreement(
    segment: MergedSegment, scores: Sequence[tuple[int, float]], read: Sequence[Unit], reading: str
) -> MergedSegment:
    by_word: dict[int, list[float]] = {}
    for place, score in scores:
        by_word.setdefault(place, []).append(score)
    # Validated together: copying tens of thousands of words one by one takes ten times as long.
    words = _WORDS.validate_python(
        [word.__dict__ | {"agreement": _mean(by_word.get(place))} for place, word in enumerate(segment.words)],
        by_name=True,
        by_alias=False,
    )
    longer = max(len(scores), len(read))
    agreement = round(sum(score for _, score in scores) / longer, 3) if longer else 1.0
    own_words = [text for word in segment.words or _words_of(segment) for text in spellings(word.word)]
    differs = [unit.text for unit in read] != own_words
    return segment.model_copy(
        update={
            "words": words,
            "agreement": agreement,
            "second_reading": _excerpt(reading, read) if differs else None,
        }
    )


def _mean(scores: Sequence[float] | None) -> float | None:
    return round(sum(scores) / len(scores), 3) if scores else None


def _excerpt(reading: str, read: Sequence[Unit]) -> str:
    """Return the part of Voxtral's text from the first to the last unit, with the punctuation after it."""
    if not read:
        return ""
    end = read[-1].end
    while end < len(reading) and not reading[end].isspace() and not reading[end].isalnum():
        end += 1
    return " ".join(reading[read[0].start : end].split())


def _words_of(segment: MergedSegment) -> tuple[MergedWord, ...]:
    """Return the text of a segment without words as one word."""
    return (MergedWord(word=segment.text, start_s=segment.start_s, end_s=segment.end_s, probability=1.0),)
