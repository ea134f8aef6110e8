"""Chapters of an episode, split where its vocabulary changes."""

from collections.abc import Sequence

from ruptures import KernelCPD
from sklearn.feature_extraction.text import TfidfVectorizer

from pipeline.types import Chapter
from workers.outline.keyness import Keyness
from workers.outline.sentences import Sentence, shortened
from workers.outline.summary import central
from workers.outline.topics import topics

SHORTEST_S = 90.0
_BLOCK_S = 15.0
"""Seconds of speech in a compared block of sentences; a single sentence has too few words."""
_PENALTY = 1.5
"""Minimum gain in similarity within chapters that justifies another chapter."""
_TITLE_TOPICS = 3


def chapters(spoken: Sequence[Sentence], key: Keyness) -> tuple[Chapter, ...]:
    """Return the chapters in order; the first starts at 0 s."""
    starts = [0, *_first_sentences(spoken, key)]
    parts = [spoken[start:end] for start, end in zip(starts, [*starts[1:], len(spoken)], strict=True)]
    return tuple(_chapter(part, key, is_first=part is parts[0]) for part in parts if part)


def _chapter(part: Sequence[Sentence], key: Keyness, *, is_first: bool) -> Chapter:
    gist = shortened(central(part, key, 1)[0].text)
    title = ", ".join(topics(part, key, _TITLE_TOPICS)) or gist
    return Chapter(start_s=0.0 if is_first else part[0].start_s, title=title, gist=gist)


def _first_sentences(spoken: Sequence[Sentence], key: Keyness) -> list[int]:
    """Return the indices of the sentences at which the subject changes."""
    firsts = _block_starts(spoken)
    least = round(SHORTEST_S / _BLOCK_S)
    if len(firsts) < 2 * least or not key:
        return []
    blocks = [
        [word for sentence in spoken[first:end] for word in sentence.folded]
        for first, end in zip(firsts, [*firsts[1:], len(spoken)], strict=True)
    ]
    vectors = TfidfVectorizer(analyzer=list, vocabulary=sorted(key), sublinear_tf=True).fit_transform(blocks)
    # For unit vectors the linear kernel equals the cosine, and it is defined for blocks without any keyword.
    breaks = KernelCPD(kernel="linear", min_size=least).fit(vectors.toarray()).predict(pen=_PENALTY)
    return [firsts[place] for place in breaks[:-1]]


def _block_starts(spoken: Sequence[Sentence]) -> list[int]:
    starts: list[int] = []
    for index, sentence in enumerate(spoken):
        if not starts or sentence.start_s - spoken[starts[-1]].start_s >= _BLOCK_S:
            starts.append(index)
    return starts
