"""Stretches for peers that take half a minute at most: the audio, cut where it is quietest.

Silero-VAD, their own way, has a memory that stays deaf to a faint voice after a pause: in the minute of the tests it
leaves out ten seconds, whoever runs it, and that would be held against the peers. Nothing is left out here.
"""

from collections.abc import Iterator
from typing import Any

from tests.benchmarks.systems.protocol import SAMPLE_RATE_HZ

PAUSE_S = 0.3


def stretches(samples: Any, longest_s: float) -> Iterator[Any]:
    """Yield all the samples, in parts of half the longest duration to the longest."""
    import numpy as np

    block = round(PAUSE_S / 3 * SAMPLE_RATE_HZ)
    longest = round(longest_s * SAMPLE_RATE_HZ)
    while len(samples) > longest:
        second_half = samples[longest // 2 : longest]
        blocks = second_half[: len(second_half) // block * block].reshape(-1, block)
        loudness = np.convolve(np.square(blocks).mean(axis=1), np.ones(3), "valid")
        end = longest // 2 + (int(loudness.argmin()) + 1) * block + block // 2
        yield samples[:end]
        samples = samples[end:]
    yield samples
