"""Respelling of the names in Voxtral's analysis as in the transcript, where both heard the same sound."""

import re
from collections.abc import Iterable, Mapping
from typing import Any

from pipeline.results.corrections.files import context_of
from pipeline.results.known_names import KnownNames
from pipeline.results.name_runs import name_runs, small_words
from pipeline.types import Analysis, JobSpec, Mention, MergedTranscript, Model, Respelling

NOUNS_ARE_CAPITALIZED = frozenset({"de", "lb"})
"""Languages whose capitalized words are seldom names; in them only names that the model lists as such are respelt."""
NAMES = frozenset({"name", "owner", "speaker"})
TEXTS = frozenset(
    {"title", "summary_sentence", "summary", "topics", "gist", "text", "reason", "role", "answer", "reply"}
)


def respell(spec: JobSpec, analysis: Analysis, transcript: MergedTranscript) -> Analysis:
    """Return Voxtral's analysis with the transcript's spelling of names, and the model's own beside them.

    An outline has the transcript's words already, and a transcript in another language spells names in its own way.
    """
    if analysis.source != "voxtral" or spec.options.task != "transcribe":
        return analysis
    mentioned = [it.name for it in analysis.people_and_organisations]
    owners = [it.owner for it in analysis.action_items if it.owner]
    speakers = [it.speaker for it in analysis.quotes if it.speaker]
    respeller = Respeller(
        KnownNames(transcript.text, context_of(spec).names),
        [*mentioned, *owners, *speakers],
        only_listed=not NOUNS_ARE_CAPITALIZED.isdisjoint({analysis.language, transcript.language}),
    )
    # Twice, because a word at the beginning of a sentence is taken for a name if it is one in the middle of another.
    changed: Analysis = respeller.respell(respeller.respell(analysis))
    return changed.model_copy(update={"respelt": _joined(analysis.respelt, respeller.respelt)})


class Respeller:
    """Respells the names in texts and collects what it changed."""

    def __init__(self, known: KnownNames, listed: Iterable[str], *, only_listed: bool) -> None:
        self.respelt: dict[str, str] = {}
        self._known = known
        self._only_listed = only_listed
        self._listed = {name: spelling for name in listed if (spelling := known.spelling_of(name)) != name}
        longest_first = sorted(self._listed, key=len, reverse=True)
        self._pattern = re.compile("|".join(map(_whole, longest_first))) if longest_first else None

    def respell(self, value: Any, field: str = "") -> Any:
        """Return a value of an analysis with the names in its texts respelt."""
        if isinstance(value, Model):
            changes = {name: self.respell(getattr(value, name), name) for name in type(value).model_fields}
            if isinstance(value, Mention) and changes["name"] != value.name:
                changes["heard_as"] = value.heard_as or value.name
            return value.model_copy(update=changes)
        if isinstance(value, tuple):
            return tuple(self.respell(item, field) for item in value)
        if not isinstance(value, str):
            return value
        if field in NAMES:
            return self._noted(value, self._listed.get(value, value))
        if field == "translation":
            return self._listed_in(value)
        if field in TEXTS:
            listed = self._listed_in(value)
            return listed if self._only_listed else self._runs_in(listed)
        return value

    def _listed_in(self, text: str) -> str:
        if self._pattern is None:
            return text
        return self._pattern.sub(lambda found: self._noted(found[0], self._listed[found[0]]), text)

    def _runs_in(self, text: str) -> str:
        parts: list[str] = []
        end = 0
        for words, begins in name_runs(text, small_words(text)):
            # The first word of a sentence has a capital, name or not.
            for name in (words, words[1:]) if begins else (words,):
                heard = text[name[0].start() : name[-1].end()] if name else ""
                if begins and len(name) == len(words) == 1 and heard not in self.respelt:
                    continue
                if (spelling := self._noted(heard, self._known.spelling_of(heard))) != heard:
                    parts += [text[end : name[0].start()], spelling]
                    end = name[-1].end()
                    break
        return "".join([*parts, text[end:]])

    def _noted(self, heard: str, spelling: str) -> str:
        if spelling != heard:
            self.respelt.setdefault(heard, spelling)
        return spelling


def _whole(name: str) -> str:
    """Return a pattern of a name that is no part of a longer word; scripts without capitals have no blanks either."""
    pattern = re.escape(name)
    return pattern if name.lower() == name.upper() else rf"(?<![^\W_]){pattern}(?![^\W_])"


def _joined(before: Iterable[Respelling], now: Mapping[str, str]) -> tuple[Respelling, ...]:
    """Return the respellings of an analysis that an earlier merge has respelt as well, from the model's own names."""
    last = {it.heard: now.get(it.spelt, it.spelt) for it in before}
    again = {it.spelt for it in before}
    last |= {heard: spelling for heard, spelling in now.items() if heard not in again}
    return tuple(Respelling(heard=heard, spelt=spelling) for heard, spelling in last.items())
