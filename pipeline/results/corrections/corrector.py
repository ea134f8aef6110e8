"""Application of corrections to a result, of which what was before is kept."""

import hashlib
import time
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from pipeline.results.corrections.editor import NEARBY_S, Editor
from pipeline.results.corrections.rules import Match, matches
from pipeline.types import Chapter, EpisodeResult
from pipeline.types.corrections import Change, Correction, Rule, Uncorrected
from pipeline.types.time_format import iso


class Corrected(NamedTuple):
    """A result with its corrections, each of which says whether the text has it."""

    result: EpisodeResult
    corrections: tuple[Correction, ...]


class Corrector:
    """Applies corrections, one after another, to a result as the models made it."""

    def __init__(self, result: EpisodeResult) -> None:
        self._original = result.before_corrections()
        self._editor = Editor(self._original.transcript) if self._original.transcript else None
        self._chapters = list(self._original.analysis.chapters) if self._original.analysis else []
        self._titles: dict[int, str] = {}
        self._done: list[Correction] = []

    def apply(self, change: Change | Correction, within_s: float = NEARBY_S) -> bool:
        """Apply a correction; return False if its text is not within some seconds of its time."""
        if change.kind == "chapter":
            return self._retitle(change, within_s)
        found = self._editor.find(change.start_s, change.was, within_s) if self._editor else None
        if found is None or self._editor is None:
            return False
        self._editor.replace(found, change.becomes)
        return True

    def take(self, corrections: Iterable[Correction]) -> None:
        """Apply corrections as far as they fit, and note all of them."""
        for it in corrections:
            self.note(it.model_copy(update={"applied": not it.undone and self.apply(it)}))

    def note(self, correction: Correction) -> None:
        """Note a correction that was applied."""
        self._done.append(correction)

    def follow(self, rules: Sequence[Rule]) -> None:
        """Apply replacement rules where no reader has undone them, and note what they changed."""
        undone = [it for it in self._done if it.undone]
        for match in list(matches(self._editor, rules)) if self._editor else ():
            if not any(it.was == match.was and abs(it.start_s - match.start_s) <= NEARBY_S for it in undone):
                self.take([_made_by(match)])

    def finish(self) -> Corrected:
        """Return the result and its corrections, in the order in which they were applied."""
        transcript = self._editor.transcript() if self._editor else None
        analysis = self._original.analysis
        if analysis and self._titles:
            analysis = analysis.model_copy(update={"chapters": tuple(self._chapters)})
        segments = self._editor.changed() if self._editor else {}
        before = Uncorrected(segments=segments, titles=self._titles) if segments or self._titles else None
        update = {"transcript": transcript, "analysis": analysis, "uncorrected": before}
        return Corrected(self._original.model_copy(update=update), tuple(self._done))

    def text_at(self, change: Change) -> str:
        """Return the present text at the time of a change: the title of the chapter, or some words."""
        if change.kind == "chapter":
            return min(self._chapters, key=lambda it: abs(it.start_s - change.start_s)).title if self._chapters else ""
        return self._editor.text_at(change.start_s, len(change.was.split())) if self._editor else ""

    def _retitle(self, change: Change | Correction, within_s: float) -> bool:
        def distance_s(index: int) -> float:
            return abs(self._chapters[index].start_s - change.start_s)

        fitting = [index for index, it in enumerate(self._chapters) if _is_titled(it, change.was)]
        index = min(fitting, key=distance_s, default=None)
        if index is None or distance_s(index) > within_s:
            return False
        self._titles.setdefault(index, self._chapters[index].title)
        self._chapters[index] = self._chapters[index].model_copy(update={"title": change.becomes})
        return True


def corrected(result: EpisodeResult, corrections: Iterable[Correction]) -> Corrected:
    """Return a result with corrections that were made of it, in their order."""
    corrector = Corrector(result)
    corrector.take(corrections)
    return corrector.finish()


def corrected_anew(result: EpisodeResult, corrections: Sequence[Correction], rules: Sequence[Rule]) -> Corrected:
    """Return a new result of an episode with its readers' corrections, and with what rules change in it.

    Readers' corrections come first, as far as they fit. Others may be of what a rule has written.
    """
    corrector = Corrector(result)
    corrector.take(it for it in corrections if it.undone)
    later = []
    for it in corrections:
        if it.rule:
            continue
        if corrector.apply(it):
            corrector.note(it.model_copy(update={"applied": True}))
        else:
            later.append(it)
    corrector.follow(rules)
    corrector.take(later)
    return corrector.finish()


def _is_titled(chapter: Chapter, title: str) -> bool:
    return chapter.title.split() == title.split()


def _made_by(match: Match) -> Correction:
    key = f"{match.start_s:.3f} {match.was} {match.rule.was}"
    return Correction(
        id=hashlib.sha256(key.encode()).hexdigest()[:12],
        start_s=match.start_s,
        was=match.was,
        becomes=match.becomes,
        by=match.rule.by,
        at=iso(time.time()),
        rule=match.rule.was,
    )
