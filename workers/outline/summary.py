"""The sentences that stand for all that is said."""

from collections.abc import Sequence

import networkx
import numpy as np
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.metrics.pairwise import cosine_similarity

from workers.outline.keyness import Keyness
from workers.outline.sentences import Sentence

_FAINTEST = 0.05
"""Likeness below which two sentences have nothing to do with each other."""
_SHORT_WORDS, _LONG_WORDS = 8, 40
"""Sentences beyond these lengths say little, or are several."""
_MOST_COMPARED = 800
"""Of longer episodes each second, third, ... sentence: comparing all with all grows with the square."""


def central(spoken: Sequence[Sentence], key: Keyness, most: int) -> list[Sentence]:
    """Return the sentences most like all others, the first one first, each unlike those before it."""
    telling = [sentence for sentence in spoken if any(word in key for word in sentence.folded)]
    telling = telling[:: 1 + len(telling) // _MOST_COMPARED]
    if not telling:
        return list(spoken[:1])
    likeness = cosine_similarity(
        TfidfVectorizer(analyzer=lambda sentence: sentence.folded, vocabulary=sorted(key)).fit_transform(telling)
    )
    scores = _ranks(likeness) * np.array([_fitness(len(sentence.words)) for sentence in telling])
    chosen: list[int] = []
    while len(chosen) < min(most, len(telling)):
        newness = 1 - likeness[:, chosen].max(axis=1, initial=0.0)
        newness[chosen] = -1
        chosen.append(int(np.argmax(scores * newness)))
    return [telling[index] for index in chosen]


def _ranks(likeness: np.ndarray[tuple[int, int], np.dtype[np.float64]]) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
    edges = np.where(likeness < _FAINTEST, 0.0, likeness)
    np.fill_diagonal(edges, 0.0)
    ranks = networkx.pagerank(networkx.from_numpy_array(edges))
    return np.array([ranks[index] for index in range(len(likeness))])


def _fitness(words: int) -> float:
    return min(1.0, words / _SHORT_WORDS, _LONG_WORDS / words)
