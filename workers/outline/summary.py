"""The most central sentences of an episode."""

from collections.abc import Sequence

import networkx
import numpy as np
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.metrics.pairwise import cosine_similarity

from workers.outline.keyness import Keyness
from workers.outline.sentences import Sentence

_FAINTEST = 0.05
"""Cosine similarity below which two sentences are unrelated."""
_SHORT_WORDS, _LONG_WORDS = 8, 40
"""Word counts; shorter sentences have little content, and longer ones are several sentences."""
_MOST_COMPARED = 800
"""Number of sentences above which only every second, third, ... one is compared; the cost is quadratic."""


def central(spoken: Sequence[Sentence], key: Keyness, most: int) -> list[Sentence]:
    """Return the most central sentences, the best first, each unlike the previous ones."""
    candidates = [sentence for sentence in spoken if any(word in key for word in sentence.folded)]
    candidates = candidates[:: 1 + len(candidates) // _MOST_COMPARED]
    if not candidates:
        return list(spoken[:1])
    likeness = cosine_similarity(
        TfidfVectorizer(analyzer=lambda sentence: sentence.folded, vocabulary=sorted(key)).fit_transform(candidates)
    )
    scores = _ranks(likeness) * np.array([_fitness(len(sentence.words)) for sentence in candidates])
    chosen: list[int] = []
    while len(chosen) < min(most, len(candidates)):
        newness = 1 - likeness[:, chosen].max(axis=1, initial=0.0)
        newness[chosen] = -1
        chosen.append(int(np.argmax(scores * newness)))
    return [candidates[index] for index in chosen]


def _ranks(likeness: np.ndarray[tuple[int, int], np.dtype[np.float64]]) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
    edges = np.where(likeness < _FAINTEST, 0.0, likeness)
    np.fill_diagonal(edges, 0.0)
    ranks = networkx.pagerank(networkx.from_numpy_array(edges))
    return np.array([ranks[index] for index in range(len(likeness))])


def _fitness(words: int) -> float:
    return min(1.0, words / _SHORT_WORDS, _LONG_WORDS / words)
