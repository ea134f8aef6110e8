"""Chapters of an episode, titled with the topics of their sentences."""

from collections.abc import Sequence

from pipeline.types import Chapter
from workers.outline.boundaries import Part, parts
from workers.outline.keyness import Keyness
from workers.outline.sentences import Sentence, shortened
from workers.outline.summary import central
from workers.outline.topics import topics

_TITLE_TOPICS = 3


def chapters(spoken: Sequence[Sentence], key: Keyness, audio_s: float) -> tuple[Chapter, ...]:
    """Return the chapters in order; the first starts at 0 s."""
    return tuple(_chapter(part, key) for part in parts(spoken, key, audio_s))


def _chapter(part: Part, key: Keyness) -> Chapter:
    gist = shortened(central(part.sentences, key, 1)[0].text)
    title = ", ".join(topics(part.sentences, key, _TITLE_TOPICS)) or gist
    return Chapter(start_s=part.start_s, title=title, gist=gist)
