"""Clusters of voices: which windows are one speaker's, for an episode of any length.

Up to BLOCK voices this is 3D-Speaker's algorithm. Longer episodes are clustered block by block, and then the blocks'
clusters are joined by their mean voices. Memory thus grows with the number of blocks.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from workers.speakers.spectral import MOST_CLUSTERS, Labels, spectral_clusters

BLOCK = 1500
"""Voices that are clustered together: 15 minutes of speech."""
FEW = 10
"""Fewer voices than this are one speaker's."""
SMALLEST = 4
"""Voices of the smallest cluster; those of smaller ones belong to the nearest other."""
SAME = 0.8
"""Least cosine between two mean voices of one speaker."""


@dataclass(frozen=True)
class Bounds:
    """The least and the most speakers that there can be."""

    least: int = 1
    most: int | None = None


class VoiceClusters:
    """The clusters of a stream of voices; keeps two blocks of voices at most."""

    def __init__(self, bounds: Bounds) -> None:
        self._bounds = bounds
        self._waiting: list[NDArray[np.float64]] = []
        self._labels: list[Labels] = []
        self._sums: list[NDArray[np.float64]] = []  # of each cluster's voices, by its number

    def add(self, voices: NDArray[np.floating]) -> None:
        """Add voices, in order, shape (voices, size)."""
        self._waiting += list(voices.astype(np.float64))
        while len(self._waiting) >= 2 * BLOCK:
            self._take(self._waiting[:BLOCK])
            del self._waiting[:BLOCK]

    def finish(self) -> tuple[Labels, NDArray[np.float64]]:
        """Return the speaker of each voice, and the mean voice of each speaker as a unit vector."""
        half = (len(self._waiting) + 1) // 2
        parts = [self._waiting] if len(self._waiting) <= BLOCK else [self._waiting[:half], self._waiting[half:]]
        for part in parts:
            self._take(part)
        self._waiting = []
        if not self._sums:
            return np.zeros(0, np.int64), np.zeros((0, 0))
        sums = np.array(self._sums)
        speakers = joined(sums, self._bounds)
        means = np.array([sums[speakers == speaker].sum(axis=0) for speaker in range(speakers.max() + 1)])
        return speakers[np.concatenate(self._labels)], unit(means)

    def _take(self, block: list[NDArray[np.float64]]) -> None:
        if not block:
            return
        voices = np.array(block)
        labels = block_clusters(voices, self._bounds.least)
        first = len(self._sums)
        for label in range(labels.max() + 1):
            self._sums.append(voices[labels == label].sum(axis=0))
        self._labels.append(labels + first)


def block_clusters(voices: NDArray[np.float64], least: int) -> Labels:
    """Return the cluster of each voice of one block, numbered from 0 without gaps."""
    if len(voices) < FEW:
        return np.zeros(len(voices), np.int64)
    labels = spectral_clusters(voices, least, MOST_CLUSTERS)
    numbers, labels, sizes = np.unique(labels, return_inverse=True, return_counts=True)
    large = np.flatnonzero(sizes >= SMALLEST)
    if len(large) < max(least, 1):
        large = np.sort(np.argsort(-sizes, kind="stable")[:least])
    means = unit(np.array([voices[labels == label].mean(axis=0) for label in large]))
    nearest = (unit(voices) @ means.T).argmax(axis=1)
    place = np.full(len(numbers), -1)
    place[large] = np.arange(len(large))
    return np.where(place[labels] >= 0, place[labels], nearest).astype(np.int64)


def joined(sums: NDArray[np.float64], bounds: Bounds) -> Labels:
    """Return the speaker of each cluster: the two nearest clusters are joined until no two are one speaker's.

    Args:
        sums: the sum of each cluster's voices, whose direction is their mean's, shape (clusters, size).
        bounds: of the number of speakers, which decide where the voices do not.
    """
    speakers = np.arange(len(sums))
    sums = sums.copy()
    alive = list(range(len(sums)))
    near = unit(sums) @ unit(sums).T
    np.fill_diagonal(near, -np.inf)
    while len(alive) > max(bounds.least, 1):
        one, other = sorted(np.unravel_index(int(near.argmax()), near.shape))
        if near[one, other] < SAME and (bounds.most is None or len(alive) <= bounds.most):
            break
        speakers[speakers == other] = one
        sums[one] += sums[other]
        alive.remove(int(other))
        near[other, :] = near[:, other] = -np.inf
        near[one, alive] = near[alive, one] = unit(sums[alive]) @ unit(sums[one][None])[0]
        near[one, one] = -np.inf
    numbered: Labels = np.unique(speakers, return_inverse=True)[1].astype(np.int64)
    return numbered


def unit(vectors: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return vectors scaled to length 1, shape (vectors, size)."""
    scaled: NDArray[np.float64] = vectors / np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-12)
    return scaled
