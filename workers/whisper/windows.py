"""Windows of at most 30 s with the speech of an episode, cut at pauses."""

import hashlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from workers.audio.audio_file import SAMPLE_RATE_HZ, Samples
from workers.audio.vad import FRAME_S, FRAME_SAMPLES, SpeechDetector, frame_blocks

CLEAR = 0.5
"""Minimum probability of clear speech in a frame."""
JOINED_S = 0.3
"""Seconds; shorter pauses are part of speech."""


@dataclass(frozen=True)
class WindowingOptions:
    """Options of speech detection and windowing."""

    threshold: float = 0.35
    """Minimum probability of a frame that starts speech."""
    release: float = 0.15
    """Probability below which speech ends."""
    pad_s: float = 0.4
    """Audio included before and after speech, in seconds, so that no word is clipped."""
    longest_s: float = 26.0
    """Maximum window length in seconds. The model accepts 30 s, but drops a last sentence that ends close to that."""
    first_s: float = 10.0
    """Maximum length of the first window in seconds; short, so that the first text is published early."""
    search_s: float = 12.0
    """Seconds before a full window's end that are searched for a pause; half the window at most."""


@dataclass(frozen=True)
class Window:
    """Speech that the model transcribes in one pass; longer silences are removed."""

    samples: Samples
    pieces: tuple[tuple[float, float], ...]
    """Start of each contiguous piece: (seconds in the window, seconds in the episode)."""
    chances: NDArray[np.float32]
    """Probability of speech in each frame, shape (frames,)."""

    @property
    def end_s(self) -> float:
        """End of its last piece in the episode, in seconds."""
        return self.episode_s(self.length_s, closing=True)

    @property
    def start_s(self) -> float:
        """Start of its first piece in the episode, in seconds."""
        return self.pieces[0][1]

    @property
    def length_s(self) -> float:
        """Length of the window itself, in seconds."""
        return len(self.samples) / SAMPLE_RATE_HZ

    def part(self, first: int, after: int) -> "Window":
        """Return the frames from `first` up to `after` as a separate window."""
        start_s = first * FRAME_S
        inside = [piece for piece in self.pieces if start_s < piece[0] < after * FRAME_S]
        own = [(offset_s - start_s, place_s) for offset_s, place_s in inside]
        return Window(
            self.samples[first * FRAME_SAMPLES : after * FRAME_SAMPLES],
            ((0.0, self.episode_s(start_s)), *own),
            self.chances[first:after],
        )

    def speech(self) -> list[tuple[float, float]]:
        """Return the spans of clear speech in the episode, as pairs of start and end in seconds."""
        clear = np.flatnonzero(self.chances >= CLEAR)
        runs = np.split(clear, np.flatnonzero(np.diff(clear) > round(JOINED_S / FRAME_S)) + 1) if len(clear) else []
        found: list[tuple[float, float]] = []
        for run in runs:
            start_s = round(self.episode_s(float(run[0]) * FRAME_S), 2)
            end_s = round(self.episode_s((float(run[-1]) + 1) * FRAME_S, closing=True), 2)
            found.append((start_s, end_s))
        return found

    def key(self, settings: str) -> str:
        """Return 32 hex digits that identify this audio, its position and the settings."""
        digest = hashlib.sha256(self.samples.tobytes())
        digest.update(f"{self.pieces}|{settings}".encode())
        return digest.hexdigest()[:32]

    def episode_s(self, window_s: float, *, closing: bool = False) -> float:
        """Return the episode time of a time in the window.

        Args:
            window_s: seconds from the window's start.
            closing: whether the time is an end; at a removed silence, it is then mapped to the silence's start.
        """
        window_s = min(max(window_s, 0.0), self.length_s)
        began_s, place_s = self.pieces[0]
        for offset_s, start_s in self.pieces:
            if offset_s < window_s or (offset_s == window_s and not closing):
                began_s, place_s = offset_s, start_s
        return place_s + window_s - began_s


def windows(blocks: Iterable[Samples], windowing: WindowingOptions) -> Iterator[Window]:
    """Yield the windows of an audio stream, each as soon as it is complete.

    Args:
        blocks: 16 kHz mono, of any lengths.
        windowing: options of speech detection and windowing.
    """
    detector, splitter = SpeechDetector(), WindowSplitter(windowing)
    for frames in frame_blocks(blocks):
        yield from splitter.feed(frames, detector.probabilities(frames))
    yield from splitter.finish()


class WindowSplitter:
    """Splitter of a stream of frames into windows; buffers at most one window and one block of audio."""

    def __init__(self, windowing: WindowingOptions) -> None:
        self.windowing = windowing
        self._pad = round(windowing.pad_s / FRAME_S)
        self._longest = int(min(windowing.first_s, windowing.longest_s) / FRAME_S)  # frames, of the current window
        self._speaking = False
        self._seen = 0  # frames fed so far
        self._decided = 0  # frames already added to a window or dropped
        self._spoken: list[int] = []  # speech frames at most a pad older than `_decided`
        self._recent: dict[int, tuple[Samples, float]] = {}  # undecided frames
        self._kept: list[tuple[int, Samples, float]] = []  # frames of the current window

    def feed(self, samples: Samples, probabilities: NDArray[np.float32]) -> Iterator[Window]:
        """Add frames with their speech probabilities; yield the completed windows."""
        frames = samples.reshape(-1, FRAME_SAMPLES)
        for frame, probability in zip(frames, probabilities.tolist(), strict=True):
            limit = self.windowing.release if self._speaking else self.windowing.threshold
            self._speaking = probability >= limit
            if self._speaking:
                self._spoken.append(self._seen)
            self._recent[self._seen] = (frame, probability)
            self._seen += 1
        yield from self._decide(self._seen - self._pad)

    def finish(self) -> Iterator[Window]:
        """Yield the remaining windows at the end of the stream."""
        yield from self._decide(self._seen)
        if self._kept:
            yield self._window(len(self._kept))

    def _decide(self, until: int) -> Iterator[Window]:
        for frame in range(self._decided, until):
            samples, probability = self._recent.pop(frame)
            while self._spoken and self._spoken[0] < frame - self._pad:
                self._spoken.pop(0)
            if self._spoken and self._spoken[0] <= frame + self._pad:
                if len(self._kept) == self._longest:
                    paused = frame > self._kept[-1][0] + 1
                    yield self._window(self._longest if paused else self._best_cut())
                self._kept.append((frame, samples, probability))
        self._decided = max(self._decided, until)

    def _best_cut(self) -> int:
        """Return the number of frames up to the clearest pause near the window's end.

        The clearest pause is a removed silence, or else the half second with the least speech.
        """
        first = self._longest - min(int(self.windowing.search_s / FRAME_S), self._longest // 2)
        frames = np.array([frame for frame, _, _ in self._kept])
        chances = np.array([chance for _, _, chance in self._kept])
        gaps = np.flatnonzero(np.diff(frames)[first:] > 1) + first + 1
        if len(gaps):
            return int(gaps[-1])
        half = round(0.25 / FRAME_S)
        smooth = np.convolve(chances, np.ones(2 * half + 1) / (2 * half + 1), mode="same")
        return first + int(smooth[first:-half].argmin())

    def _window(self, count: int) -> Window:
        frames, self._kept = self._kept[:count], self._kept[count:]
        self._longest = int(self.windowing.longest_s / FRAME_S)
        pieces: list[tuple[float, float]] = []
        for place, (frame, _, _) in enumerate(frames):
            if place == 0 or frame != frames[place - 1][0] + 1:
                pieces.append((place * FRAME_S, frame * FRAME_S))
        samples = np.concatenate([samples for _, samples, _ in frames])
        chances = np.array([chance for _, _, chance in frames], np.float32)
        return Window(samples, tuple(pieces), chances)
