"""The people of an episode whom its publisher, its user or its analysis name, and names as they are said."""

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from pipeline.types import Analysis, JobSpec

MOST_WORDS = 3
_WORD = re.compile(r"[^\W\d_]+(?:[-'’][^\W\d_]+)*\.?")
_TITLE = re.compile(r"(?:Dr|Mr|Mrs|Ms|Prof)\.? |(?:Doctor|Professor) ")
_PARTICLES = "al bin da de del den der di du el la le ten ter van von zu"
PARTICLES = frozenset(_PARTICLES.split())
"""Small words within names."""


class SaidName(NamedTuple):
    """A name in a text."""

    name: str
    end: int
    """Index of the first letter after it."""


class KnownPeople:
    """The known people of an episode, by the ways to say their names."""

    def __init__(self, names: Iterable[str]) -> None:
        self._names = tuple(names)
        full = [name for name in dict.fromkeys(" ".join(it.split()) for it in self._names) if _looks_like_one(name)]
        firsts = Counter(name.split()[0].casefold() for name in full)
        self.forms = {name.casefold(): name for name in full}
        for name in full:
            words = name.casefold().split()
            if firsts[words[0]] == 1:
                self.forms.setdefault(words[0], name)
            self.forms.setdefault(f"{words[0]} {words[-1]}", name)

    def and_more(self, names: Iterable[str]) -> "KnownPeople":
        """Return these people and more, of whom those are left out whose names are a way to say a known one."""
        return KnownPeople([*self._names, *(name for name in names if not self.full_name(name))])

    def full_name(self, said: str) -> str | None:
        """Return the full name of the one person who is called so; None if nobody or several are."""
        return self.forms.get(said.casefold())


def people_of(spec: JobSpec, analysis: Analysis | None) -> KnownPeople:
    """Return the people whom the feed, the vocabulary and the analysis name; a show or an organisation is nobody."""
    published = spec.episode.publication
    mentions = analysis.people_and_organisations if analysis else ()
    names = [it.name for it in published.people] if published else []
    names += [*spec.options.vocabulary, *(it.name for it in mentions if it.kind == "person")]
    others = [it.name for it in mentions if it.kind == "organisation"] + ([published.show] if published else [])
    no_people = " / ".join(others).casefold()
    return KnownPeople(name for name in names if name.casefold() not in no_people)


def name_at(text: str, start: int) -> SaidName | None:
    """Return the name of one to three capitalised words at a place in a text, without a title.

    A genitive is no name, nor are four capitalised words, or words in capitals only.
    """
    title = _TITLE.match(text, start)
    place = title.end() if title else start
    words: list[str] = []
    small: list[str] = []
    end = place
    while found := _WORD.match(text, place):
        word = found[0] if len(found[0]) == 2 and found[0][1:] == "." else found[0].rstrip(".")
        if word[0].isupper():
            words += [*small, word]
            small, end = [], found.start() + len(word)
        elif words and word in PARTICLES:
            small.append(word)
        else:
            break
        if not text.startswith(" ", found.start() + len(word)):
            break
        place = found.start() + len(word) + 1
    return SaidName(" ".join(words), end) if _is_name(words) else None


def _is_name(words: Sequence[str]) -> bool:
    capitalised = [word for word in words if word not in PARTICLES]
    is_genitive = bool(words) and words[-1].casefold().endswith(("'s", "’s", "s'", "s’"))
    is_loud = any(len(word) > 2 and word.isupper() for word in words)
    return 1 <= len(capitalised) <= MOST_WORDS and not is_genitive and not is_loud


def _looks_like_one(name: str) -> bool:
    said = name_at(name, 0)
    return said is not None and said.end == len(name)
