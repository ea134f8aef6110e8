"""Chapters of an episode, titled with the topics of their sentences."""

from collections import Counter
from collections.abc import Iterator, Sequence

from pipeline.types import Chapter
from pipeline.types.graphemes import shortened as cut_at_a_word
from workers.outline.boundaries import Part
from workers.outline.keyness import Keyness
from workers.outline.sentences import Sentence, shortened
from workers.outline.topics import topics

_TITLE_TOPICS = 3
_LONGEST_TITLE = 60


def chapters(cut: Sequence[Part], key: Keyness, gists: Sequence[Sentence | None]) -> tuple[Chapter, ...]:
    """Return the chapters in order, each with the sentence that was chosen for it, if any."""
    keys = _own_keys(cut, key)
    return tuple(_chapter(part, own, gist) for part, own, gist in zip(cut, keys, gists, strict=True))


def _chapter(part: Part, key: Keyness, gist: Sentence | None) -> Chapter:
    named = ", ".join(topics(part.sentences, key, _TITLE_TOPICS))
    text = shortened(gist.text) if gist else ""
    if not named:
        return Chapter(start_s=part.start_s, title=cut_at_a_word(text, _LONGEST_TITLE))
    return Chapter(start_s=part.start_s, title=named[:1].upper() + named[1:], gist=text)


def _own_keys(cut: Sequence[Part], key: Keyness) -> Iterator[Keyness]:
    """Yield the keyness for each chapter: of a word that others have too, the share that is the chapter's own."""
    counts = [Counter(word for it in part.sentences for word in it.folded if word in key) for part in cut]
    total = sum(counts, Counter())
    for own in counts:
        yield {word: key[word] * count / total[word] for word, count in own.items()}
