"""The pieces in which Voxtral hears an episode: cut where it is quiet, while the audio streams by."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from math import ceil

import numpy as np

from pipeline.types import TimeSpan
from workers.audio.audio_file import SAMPLE_RATE_HZ, Samples

CHUNK_S = 30.0
"""What the encoder hears at once; a section that fills whole chunks wastes nothing."""
_STEP_SAMPLES = SAMPLE_RATE_HZ // 50
_PAUSE_STEPS = 15
"""A pause is looked for over 0.3 s: shorter ones lie inside words."""
_SILENCE = 1e-4
"""Root mean square of a sample below which no one hears anything, -80 dBFS."""


@dataclass(frozen=True)
class Section:
    """A piece of an episode."""

    start_s: float
    samples: Samples

    @property
    def length_s(self) -> float:
        """Seconds of audio in it."""
        return len(self.samples) / SAMPLE_RATE_HZ

    @property
    def chunks(self) -> int:
        """How many times 30 s the encoder hears; sections with the same number have the same shape."""
        return ceil(len(self.samples) / (CHUNK_S * SAMPLE_RATE_HZ))

    @property
    def is_silent(self) -> bool:
        """Whether there is nothing in it that could be heard."""
        return bool(_loudness(self.samples).max(initial=0.0) < _SILENCE)


def section_length_s(expected_s: float, longest_s: float) -> float:
    """Return how long sections shall be: whole chunks, at most `longest_s`, the last one no scrap.

    An episode of unknown length (0.0) is cut into sections of the longest kind.
    """
    if expected_s <= longest_s:
        return longest_s
    even_s = expected_s / ceil(expected_s / longest_s)
    return min(longest_s, (ceil(even_s / CHUNK_S) + 1) * CHUNK_S)


def cut(blocks: Iterable[Samples], length_s: float) -> Iterator[Section]:
    """Yield an episode's sections in order; only one section's audio is held at a time.

    Each is at most `length_s` long and ends at the quietest place within its last chunk.
    """
    longest = round(length_s * SAMPLE_RATE_HZ)
    held: list[Samples] = []
    have = start = 0
    for block in blocks:
        held.append(block)
        have += len(block)
        while have > longest:
            whole = np.concatenate(held)
            # At least half of the section stays: sections may be no longer than a chunk.
            end = quietest(whole[:longest], max(longest // 2, longest - round(CHUNK_S * SAMPLE_RATE_HZ)) + 1)
            yield Section(start / SAMPLE_RATE_HZ, whole[:end])
            held, have, start = [whole[end:].copy()], have - end, start + end
    if have:
        yield Section(start / SAMPLE_RATE_HZ, np.concatenate(held))


def excerpts(blocks: Iterable[Samples], stretches: Iterable[TimeSpan]) -> Iterator[Section]:
    """Yield some stretches of an episode, given in order; no more of its audio is held than they need.

    What lies beyond the end of the audio is silence, so that there is a section for each.
    """
    stream, held, start = iter(blocks), np.zeros(0, np.float32), 0
    for stretch in stretches:
        first, after = round(stretch.start_s * SAMPLE_RATE_HZ), round(stretch.end_s * SAMPLE_RATE_HZ)
        while start + len(held) < after and (block := next(stream, None)) is not None:
            behind = max(0, min(first - start, len(held)))
            held, start = np.concatenate([held[behind:], block]), start + behind
        part = held[max(0, first - start) : max(0, after - start)]
        yield Section(stretch.start_s, np.pad(part, (0, max(1, after - first) - len(part))))


def quietest(samples: Samples, earliest: int) -> int:
    """Return the middle of the quietest 0.3 s from sample `earliest` on; of equals, the last."""
    loudness = _loudness(samples[earliest:])
    if len(loudness) < _PAUSE_STEPS:
        return len(samples)
    sums = np.convolve(loudness, np.ones(_PAUSE_STEPS), mode="valid")
    lowest = sums.min()
    # The last of equals: in plain silence the section stays as long as it can be.
    step = int(np.flatnonzero(sums <= lowest * 1.0001)[-1]) + _PAUSE_STEPS // 2
    return min(earliest + step * _STEP_SAMPLES, len(samples))


def batches(sections: Iterable[Section], rows: Callable[[], int]) -> Iterator[list[Section]]:
    """Yield runs of neighbours with equally many chunks, at most as many at a time as `rows` says by then."""
    run: list[Section] = []
    for section in sections:
        if run and (len(run) >= rows() or run[-1].chunks != section.chunks):
            yield run
            run = []
        run.append(section)
    if run:
        yield run


def _loudness(samples: Samples) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
    starts = np.arange(0, len(samples), _STEP_SAMPLES)
    if not len(starts):
        return np.zeros(0)
    power = np.add.reduceat(np.square(samples), starts, dtype=np.float64)
    return np.sqrt(power / np.diff(starts, append=len(samples)))
