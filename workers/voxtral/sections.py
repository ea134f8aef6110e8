"""Sections of an episode for Voxtral, cut from streamed audio at quiet places."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from math import ceil

import numpy as np

from pipeline.types import TimeSpan
from workers.audio.audio_file import SAMPLE_RATE_HZ, Samples

CHUNK_S = 30.0
"""Seconds of the encoder's input; sections of whole chunks need no padding."""
_STEP_SAMPLES = SAMPLE_RATE_HZ // 50
_PAUSE_STEPS = 15
"""Steps in a pause of 0.3 s; shorter pauses occur inside words."""
_SILENCE = 1e-4
"""Root mean square of inaudible audio, -80 dBFS."""


@dataclass(frozen=True)
class Section:
    """A section of an episode's audio."""

    start_s: float
    samples: Samples

    @property
    def length_s(self) -> float:
        """Length in seconds."""
        return len(self.samples) / SAMPLE_RATE_HZ

    @property
    def chunks(self) -> int:
        """Number of encoder chunks of 30 s; sections with the same number have the same shape."""
        return ceil(len(self.samples) / (CHUNK_S * SAMPLE_RATE_HZ))

    @property
    def is_silent(self) -> bool:
        """Whether the section has no audible sound."""
        return bool(_loudness(self.samples).max(initial=0.0) < _SILENCE)


def section_length_s(expected_s: float, longest_s: float) -> float:
    """Return the section length in seconds: whole chunks, at most `longest_s`, without a short last section.

    An episode of unknown length (0.0) is cut into sections of `longest_s`.
    """
    if expected_s <= longest_s:
        return longest_s
    even_s = expected_s / ceil(expected_s / longest_s)
    return min(longest_s, (ceil(even_s / CHUNK_S) + 1) * CHUNK_S)


def cut(blocks: Iterable[Samples], length_s: float) -> Iterator[Section]:
    """Yield an episode's sections in order; only one section's audio is buffered at a time.

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
            # At least half of the section remains, because sections may be as short as a chunk.
            end = quietest(whole[:longest], max(longest // 2, longest - round(CHUNK_S * SAMPLE_RATE_HZ)) + 1)
            yield Section(start / SAMPLE_RATE_HZ, whole[:end])
            held, have, start = [whole[end:].copy()], have - end, start + end
    if have:
        yield Section(start / SAMPLE_RATE_HZ, np.concatenate(held))


def excerpts(blocks: Iterable[Samples], stretches: Iterable[TimeSpan]) -> Iterator[Section]:
    """Yield ordered spans of an episode, with minimal buffering.

    Audio beyond the end is padded with silence, so that each span has a section.
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
    """Return the middle sample of the quietest 0.3 s from sample `earliest` on; the last of equals."""
    loudness = _loudness(samples[earliest:])
    if len(loudness) < _PAUSE_STEPS:
        return len(samples)
    sums = np.convolve(loudness, np.ones(_PAUSE_STEPS), mode="valid")
    lowest = sums.min()
    # The last of equals makes the section as long as possible in plain silence.
    step = int(np.flatnonzero(sums <= lowest * 1.0001)[-1]) + _PAUSE_STEPS // 2
    return min(earliest + step * _STEP_SAMPLES, len(samples))


def batches(sections: Iterable[Section], rows: Callable[[], int]) -> Iterator[list[Section]]:
    """Yield runs of neighbours with equally many chunks, at most `rows()` of them, evaluated for each section."""
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
