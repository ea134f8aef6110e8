"""Changes of speaker between words, moved to where people do change.

A diarization has a resolution of about half a second, which is a word or two. Sentences and pauses, which Whisper
hears, tell more exactly where one speaker ends.
"""

from collections.abc import Sequence
from itertools import pairwise

from pipeline.results.line_breaks import ends_sentence
from pipeline.results.speakers.turn_index import TurnIndex
from pipeline.types import Word

ISLAND_WORDS = 2
ISLAND_S = 0.6
"""Most words or seconds of an island: words of one speaker within another's sentence."""
PAUSE_S = 0.25
EXACT_S = 0.15
"""Accuracy in seconds with which the turn of a real island has its words' times."""
MOVED_WORDS = 3
MOVED_S = 1.0
"""Maximum shift of a change of speaker."""


def speakers_of(words: Sequence[Word], index: TurnIndex) -> list[str | None]:
    """Return the speaker of each word; None where nobody is known to speak.

    Args:
        words: the words of an episode, in order.
        index: the turns that cover them.
    """
    found = [index.speaker_of(word.start_s, word.end_s) for word in words]
    _fill_sentences(words, found)
    _remove_islands(words, found, index)
    _move_changes(words, found)
    _remove_islands(words, found, index)  # a moved change may have left one
    return found


def _fill_sentences(words: Sequence[Word], found: list[str | None]) -> None:
    """Give words far from all turns to the speaker of the words beside them in their sentence."""
    for place in range(1, len(words)):
        if found[place] is None and not ends_sentence(words[place - 1].word):
            found[place] = found[place - 1]
    for place in range(len(words) - 2, -1, -1):
        if found[place] is None and not ends_sentence(words[place].word):
            found[place] = found[place + 1]


def _remove_islands(words: Sequence[Word], found: list[str | None], index: TurnIndex) -> None:
    """Give islands to the speaker around them, the shortest first, unless they are real."""
    cuts = [0, *_changes(found), len(found)]
    runs = [(start, end) for start, end in pairwise(cuts[1:-1]) if _is_short(words, start, end)]
    for start, end in sorted(runs, key=lambda run: words[run[1] - 1].end_s - words[run[0]].start_s):
        around = found[start - 1]
        if around is None or around != found[end] or found[start] == around:
            continue  # the run has grown, or lies between two others
        if not _is_real(words, start, end, found[start], index):
            found[start:end] = [around] * (end - start)


def _changes(found: Sequence[str | None]) -> list[int]:
    """Return the indices of the words that begin with another speaker than the word before."""
    return [place for place in range(1, len(found)) if found[place] != found[place - 1]]


def _is_short(words: Sequence[Word], start: int, end: int) -> bool:
    return end - start <= ISLAND_WORDS or words[end - 1].end_s - words[start].start_s < ISLAND_S


def _is_real(words: Sequence[Word], start: int, end: int, speaker: str | None, index: TurnIndex) -> bool:
    """Return whether words are sentences of their own, or have pauses around them and a turn of just their times."""
    if ends_sentence(words[start - 1].word) and ends_sentence(words[end - 1].word):
        return True
    has_pauses = _pause_s(words, start) >= PAUSE_S and _pause_s(words, end) >= PAUSE_S
    return has_pauses and index.has_turn(speaker, words[start].start_s, words[end - 1].end_s, EXACT_S)


def _move_changes(words: Sequence[Word], found: list[str | None]) -> None:
    """Move each change of speaker within a sentence to a sentence's end nearby, or else to a pause.

    Every speaker keeps a word at least.
    """
    cuts = [0, *_changes(found), len(found)]
    for number in range(1, len(cuts) - 1):
        change = cuts[number]
        place = _better_place(words, change, cuts[number - 1] + 1, cuts[number + 1] - 1)
        speaker = found[change] if place < change else found[change - 1]
        first, last = sorted((change, place))
        found[first:last] = [speaker] * (last - first)
        cuts[number] = place


def _better_place(words: Sequence[Word], change: int, first: int, last: int) -> int:
    """Return the place of a change from `first` to `last` that is likeliest; its own unless another is better."""
    if ends_sentence(words[change - 1].word) or _pause_s(words, change) >= PAUSE_S:
        return change
    nearby = [
        place
        for place in range(max(first, change - MOVED_WORDS), min(last, change + MOVED_WORDS) + 1)
        if abs(words[place].start_s - words[change].start_s) <= MOVED_S
    ]
    nearby.sort(key=lambda place: abs(place - change))
    sentences = (place for place in nearby if ends_sentence(words[place - 1].word))
    pauses = (place for place in nearby if _pause_s(words, place) >= PAUSE_S)
    return next(sentences, next(pauses, change))


def _pause_s(words: Sequence[Word], place: int) -> float:
    """Return the pause in seconds before a word."""
    return words[place].start_s - words[place - 1].end_s
