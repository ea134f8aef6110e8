"""Stretches for peers that take half a minute at most: the audio, cut where it is quietest.

Silero-VAD, their own way, misses most of a faint voice, which would be held against the peers. Nothing is left out
here.
"""

import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from tests.benchmarks.systems.protocol import SAMPLE_RATE_HZ, Heard, Transcribe, pcm

PAUSE_S = 0.3


def one_by_one(recognize: Callable[[Any], str], longest_s: float) -> Transcribe:
    """Return a system that recognizes one stretch after the other.

    Args:
        recognize: a function from float32 samples to their text.
        longest_s: longest duration of a stretch.
    """
    import numpy as np

    def transcribe(audio: Path) -> Heard:
        began = time.perf_counter()
        samples = np.frombuffer(pcm(audio), "<i2").astype(np.float32) / 32768
        texts: list[str] = []
        first_text_s = None
        for stretch in stretches(samples, longest_s):
            texts.append(recognize(stretch))
            first_text_s = first_text_s or time.perf_counter() - began
        return Heard(" ".join(texts), first_text_s=first_text_s)

    return transcribe


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
