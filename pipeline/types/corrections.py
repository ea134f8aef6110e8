"""Corrections of an episode's text by its readers, and replacement rules for the episodes of a show."""

import re
from typing import Annotated, Literal

from pydantic import AfterValidator, Field

from pipeline.types.analysis import Analysis
from pipeline.types.merged import MergedSegment, MergedTranscript
from pipeline.types.model import Model
from pipeline.types.text import is_writable

MOST_TEXT = 5_000
"""Characters of the longest text that one correction replaces, or writes."""
LATEST_S = 1e7
"""Latest start in seconds, beyond any audio."""
MOST_CHANGES = 1_000
"""Corrections that can be given at once."""
MOST_CORRECTIONS = 20_000
"""Corrections of an episode."""
MOST_RULES = 1_000
MOST_RULE = 100
MOST_SHOW = 500


def _writable(text: str) -> str:
    line = re.sub(r"[^\S\n\r\t\v\f\x1c-\x1f\x85\u2028\u2029]+", " ", text).strip(" ")
    if not is_writable(line):
        raise ValueError("a text has no line breaks and no control characters")
    return line


def _some(text: str) -> str:
    if not (line := _writable(text)):
        raise ValueError("a rule needs the words that it replaces")
    return line


NewText = Annotated[str, Field(max_length=MOST_TEXT), AfterValidator(_writable)]
RuleText = Annotated[str, Field(max_length=MOST_RULE), AfterValidator(_writable)]
SomeText = Annotated[str, Field(min_length=1, max_length=MOST_RULE), AfterValidator(_some)]


class Change(Model):
    """A change of an episode's text, as a reader asks for it."""

    kind: Literal["words", "chapter"] = "words"
    """Words of the transcript, or the title of a chapter."""
    start_s: Annotated[float, Field(ge=0, le=LATEST_S)]
    """Start of the first word, or of the chapter, in seconds."""
    was: Annotated[str, Field(min_length=1, max_length=MOST_TEXT)]
    """The present text there: words with blanks between them, or the title."""
    becomes: NewText
    """The text instead; an empty one removes the words."""
    always: bool = False
    """Whether to make it a replacement rule for the show, too."""


class Correction(Model):
    """A change that was made, by whom and when."""

    id: str
    kind: Literal["words", "chapter"] = "words"
    start_s: float
    was: str
    becomes: str
    by: str = ""
    """Name of the API key, or of the user at the command line; the rule's maker for a rule."""
    at: str
    """Time in ISO 8601."""
    applied: bool = True
    """Whether the text has it; False if the words are not there any more after the episode was processed again."""
    rule: Annotated[str, Field(exclude_if=lambda rule: not rule)] = ""
    """Text on the left of the replacement rule that made it; empty if a reader made it."""
    undone: Annotated[bool, Field(exclude_if=lambda undone: not undone)] = False
    """Whether a reader has undone what a rule did here, so that the rule does not do it again."""


class Corrections(Model):
    """`corrections.json`: the corrections of an episode, in the order in which they are applied."""

    corrections: tuple[Correction, ...] = ()


class Uncorrected(Model):
    """The parts of a result as they were before all corrections."""

    segments: dict[int, MergedSegment] = Field(default_factory=dict)
    """The segments that were changed, by their index in the transcript."""
    titles: dict[int, str] = Field(default_factory=dict)
    """The titles that were changed, by the index of their chapter."""

    def transcript(self, corrected: MergedTranscript) -> MergedTranscript:
        """Return a corrected transcript as it was."""
        segments = list(corrected.segments)
        for index, segment in self.segments.items():
            segments[index] = segment
        return corrected.with_segments(segments) if self.segments else corrected

    def analysis(self, corrected: Analysis) -> Analysis:
        """Return an analysis with its titles of chapters as they were."""
        chapters = list(corrected.chapters)
        for index, title in self.titles.items():
            chapters[index] = chapters[index].model_copy(update={"title": title})
        return corrected.model_copy(update={"chapters": tuple(chapters)})


class Rule(Model):
    """A replacement rule, for the episodes of a show or for all."""

    show: Annotated[str, Field(max_length=MOST_SHOW), AfterValidator(_writable)] = ""
    """Name of the show; empty for all episodes at the destination."""
    was: SomeText
    """Whole words; any capitals fit unless it has both capitals and small letters."""
    becomes: RuleText
    """The words instead; empty to remove them."""
    by: str = Field(default="", max_length=MOST_SHOW)
    """Name of the API key, or of the user at the command line, who made the rule."""

    @property
    def key(self) -> tuple[str, str]:
        """The show and the text that it replaces, of which there is one rule."""
        return " ".join(self.show.casefold().split()), self.was

    def is_for(self, show: str) -> bool:
        """Return whether it is for just the show of this name; empty for all episodes."""
        return self.key[0] == " ".join(show.casefold().split())


class Rules(Model):
    """`replacements.json`: the replacement rules of a destination."""

    rules: Annotated[tuple[Rule, ...], Field(max_length=MOST_RULES)] = ()
