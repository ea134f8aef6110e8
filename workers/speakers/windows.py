"""Windows of 1.5 s of speech, every 0.6 s, in each of which one voice is heard.

The lengths are those of senko and, but for the step, of 3D-Speaker; the probabilities are silero-vad's own limits.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from workers.audio.audio_file import SAMPLE_RATE_HZ, Samples
from workers.audio.vad import FRAME_S, FRAME_SAMPLES, SpeechDetector, frame_blocks

WINDOW_SAMPLES = round(1.5 * SAMPLE_RATE_HZ)
STEP_SAMPLES = round(0.6 * SAMPLE_RATE_HZ)
STARTS = 0.5
"""Minimum probability of a frame that starts speech."""
RELEASE = 0.35
"""Probability below which speech ends."""
PAUSE_FRAMES = round(0.8 / FRAME_S)
"""Frames of no speech that end a stretch. With silero-vad's 0.1 s, two of three recorded meetings had more errors."""
SHORTEST_FRAMES = round(0.25 / FRAME_S)
"""Shorter stretches of speech are ignored."""
LONGEST_FRAMES = round(30.0 / FRAME_S)
"""Longer stretches are cut, so that memory does not grow with them."""


@dataclass(frozen=True)
class Window:
    """A piece of speech in which one voice is heard."""

    samples: Samples
    """Shape (WINDOW_SAMPLES,); shorter speech is repeated to fill it."""
    start_s: float
    end_s: float


def windows(blocks: Iterable[Samples]) -> Iterator[Window]:
    """Yield the windows of an audio stream in order, those of each stretch of speech as soon as it ends.

    Args:
        blocks: 16 kHz mono, of any lengths.
    """
    detector, stretches = SpeechDetector(), Stretches()
    for frames in frame_blocks(blocks):
        for start, speech in stretches.feed(frames, detector.probabilities(frames)):
            yield from windows_of(start, speech)
    for start, speech in stretches.finish():
        yield from windows_of(start, speech)


def windows_of(start: int, speech: Samples) -> Iterator[Window]:
    """Yield the windows of one stretch of speech; the last ends where the speech does.

    Args:
        start: its first sample in the episode.
        speech: its audio.
    """
    last = len(speech) - WINDOW_SAMPLES
    for offset in [*range(0, last, STEP_SAMPLES), max(last, 0)]:
        samples = speech[offset : offset + WINDOW_SAMPLES]
        end_s = (start + offset + len(samples)) / SAMPLE_RATE_HZ
        yield Window(np.resize(samples, WINDOW_SAMPLES), (start + offset) / SAMPLE_RATE_HZ, end_s)


class Stretches:
    """Stretches of speech in a stream of frames; buffers at most one of them."""

    def __init__(self) -> None:
        self._seen = 0  # frames fed so far
        self._frames: list[Samples] = []  # of the current stretch, with the pause so far at its end
        self._pause = 0  # frames of no speech at its end

    def feed(self, samples: Samples, probabilities: NDArray[np.float32]) -> Iterator[tuple[int, Samples]]:
        """Add frames with their speech probabilities; yield first sample and audio of each completed stretch."""
        for frame, probability in zip(samples.reshape(-1, FRAME_SAMPLES), probabilities.tolist(), strict=True):
            self._seen += 1
            if not self._frames and probability < STARTS:
                continue
            self._frames.append(frame)
            self._pause = 0 if probability >= (RELEASE if not self._pause else STARTS) else self._pause + 1
            if self._pause > PAUSE_FRAMES or len(self._frames) == LONGEST_FRAMES:
                yield from self.finish()

    def finish(self) -> Iterator[tuple[int, Samples]]:
        """Yield the current stretch if it is long enough, and begin anew."""
        first = self._seen - len(self._frames)
        spoken = self._frames[: len(self._frames) - self._pause]
        self._frames, self._pause = [], 0
        if len(spoken) >= SHORTEST_FRAMES:
            yield first * FRAME_SAMPLES, np.concatenate(spoken)
