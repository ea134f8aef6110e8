"""The known spellings of an episode's names.

Only a name that the transcript lacks is spelt otherwise than Voxtral wrote it, and only as the one name there, or of
the user or publisher, that sounds the same and has nearly the same letters (`pipeline/results/sound.py`).
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import cached_property

from pipeline.results.alignment import spellings
from pipeline.results.name_runs import name_runs, small_words
from pipeline.results.sound import similarity, sound

MOST_WORDS = 4
"""Words of the longest name that is looked up."""
CLEARLY = 0.05
"""Minimum lead of the best spelling over the next one."""


class KnownNames:
    """The names in a transcript, and those that the user and the publisher gave."""

    def __init__(self, text: str, given: Sequence[str]) -> None:
        self._text = text
        self._given = given
        self._words = {spelling for part in (text, *given) for word in part.split() for spelling in spellings(word)}

    def spelling_of(self, heard: str) -> str:
        """Return the spelling of a name; the name itself if it occurs, or if no other is clearly the same."""
        if self._occurs(heard):
            return heard
        for by_sound in self._by_sound:
            ranked = sorted(((similarity(heard, it), it) for it in by_sound.get(sound(heard), ())), reverse=True)
            if ranked and ranked[0][0] > 0:
                is_clear = len(ranked) == 1 or ranked[0][0] - ranked[1][0] >= CLEARLY
                return ranked[0][1] if is_clear else heard
        return heard

    def _occurs(self, name: str) -> bool:
        has_no_blanks = name.lower() == name.upper()  # as in scripts without capitals
        return (has_no_blanks and name in self._text) or self._words.issuperset(spellings(name))

    @cached_property
    def _by_sound(self) -> list[Mapping[str, Iterable[str]]]:
        """The names by their sound: those of the transcript, then those given."""
        return [_grouped(_spoken(self._text)), _grouped(name.split() for name in self._given)]


def _grouped(names: Iterable[Sequence[str]]) -> dict[str, list[str]]:
    """Return each name and each part of one, by its sound; of those that differ in capitals only the first."""
    parts: dict[str, str] = {}
    for words in names:
        for part in _parts(words):
            parts.setdefault(part.casefold(), part)
    grouped: defaultdict[str, list[str]] = defaultdict(list)
    for part in parts.values():
        if key := sound(part):
            grouped[key].append(part)
    return grouped


def _spoken(text: str) -> Iterator[list[str]]:
    """Yield the words of each name in a text; a capital at the beginning of a sentence alone makes none."""
    for words, begins in name_runs(text, small_words(text)):
        name = [word[0] for word in words]
        if begins and len(name) > 1:
            yield [" ".join(name)]
        yield name[1:] if begins else name


def _parts(words: Sequence[str]) -> Iterator[str]:
    for start in range(len(words)):
        for stop in range(start + 1, min(start + MOST_WORDS, len(words)) + 1):
            yield " ".join(words[start:stop])
