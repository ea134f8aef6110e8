"""The most central sentences of an episode."""

from collections.abc import Container, Sequence

import networkx
import numpy as np
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.metrics.pairwise import cosine_similarity

from workers.outline.keyness import Keyness
from workers.outline.sentences import Sentence

_FAINTEST = 0.05
"""Cosine similarity below which two sentences are unrelated."""
_SAME = 0.9
"""Cosine similarity above which a sentence repeats another."""
_ASKS, _QUESTION = 0.5, ("?", "？", "؟")
"""Fitness of a question, which says less than its answer."""
_SHORT_WORDS, _LONG_WORDS = 8, 40
"""Word counts; shorter sentences have little content, and longer ones are several sentences."""
_MOST_COMPARED = 800
"""Number of sentences above which only every second, third, ... one is compared; the cost is quadratic."""


def central(
    spoken: Sequence[Sentence],
    key: Keyness,
    most: int,
    *,
    told: Sequence[Sentence] = (),
    barred: Container[Sentence] = (),
) -> list[Sentence]:
    """Return the most central sentences, the best first, each unlike the previous ones.

    Args:
        spoken: the sentences to choose from.
        key: the keyness of their words.
        most: the number of sentences, at most.
        told: sentences that are quoted elsewhere; the chosen ones are unlike these too.
        barred: sentences that count in the comparison and are not chosen.
    """
    candidates = [sentence for sentence in spoken if any(word in key for word in sentence.folded)]
    candidates = candidates[:: 1 + len(candidates) // _MOST_COMPARED]
    if not candidates:
        return [] if told else list(spoken[:1])
    count, known = len(candidates), {sentence.folded for sentence in told}
    vectors = TfidfVectorizer(analyzer=lambda sentence: sentence.folded, vocabulary=sorted(key))
    likeness = cosine_similarity(vectors.fit_transform([*candidates, *told]))
    scores = _ranks(likeness[:count, :count]) * np.array([_fitness(it) for it in candidates])
    taken = np.array([it in barred or it.folded in known for it in candidates])
    nearest = likeness[:count, count:].max(axis=1, initial=0.0)
    chosen: list[int] = []
    while len(chosen) < most:
        fitness = np.where(taken | (nearest > _SAME), -1.0, scores * (1 - nearest))
        best = int(np.argmax(fitness))
        if fitness[best] < 0:
            break
        chosen.append(best)
        taken[best] = True
        nearest = np.maximum(nearest, likeness[:count, best])
    return [candidates[index] for index in chosen]


def _ranks(likeness: np.ndarray[tuple[int, int], np.dtype[np.float64]]) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
    edges = np.where(likeness < _FAINTEST, 0.0, likeness)
    np.fill_diagonal(edges, 0.0)
    ranks = networkx.pagerank(networkx.from_numpy_array(edges))
    return np.array([ranks[index] for index in range(len(likeness))])


def _fitness(sentence: Sentence) -> float:
    words = len(sentence.words)
    return min(1.0, words / _SHORT_WORDS, _LONG_WORDS / words) * (_ASKS if sentence.text.endswith(_QUESTION) else 1.0)
