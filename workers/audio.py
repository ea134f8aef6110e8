"""Decoding: any audio or video file to 16 kHz mono float32, block by block.

PyAV (https://pyav.basswood-io.com) carries FFmpeg's libraries, so no ffmpeg binary is needed.
"""

from collections.abc import Iterator
from pathlib import Path

import av
import numpy as np
from av.audio.resampler import AudioResampler
from av.error import FFmpegError
from numpy.typing import NDArray

from pipeline.errors import AudioError

SAMPLE_RATE_HZ = 16_000
Samples = NDArray[np.float32]
"""Mono audio, shape (samples,), float32 in [-1, 1], at `SAMPLE_RATE_HZ`."""


class Resampler:
    """Frames of any rate, layout and format to samples; these may change between frames, as in spliced files.

    Through 16-bit integers, as `whisper.load_audio` does: mixing to mono then keeps the loudness and clips,
    which FFmpeg does not do for floats.
    """

    def __init__(self) -> None:
        self._resampler: AudioResampler | None = None
        self._kind: tuple[int, str, str] | None = None

    def resample(self, frame: av.AudioFrame) -> list[Samples]:
        """Return what can be given out by now."""
        kind = (frame.sample_rate, frame.layout.name, frame.format.name)
        done = self.rest() if kind != self._kind else []
        if self._resampler is None:
            self._kind = kind
            self._resampler = AudioResampler(format="s16", layout="mono", rate=SAMPLE_RATE_HZ)
        return done + [_samples(part) for part in self._resampler.resample(frame)]

    def rest(self) -> list[Samples]:
        """Return what was held back, and be as new."""
        held = self._resampler.resample(None) if self._resampler else []
        self._resampler = None
        return [_samples(part) for part in held]


class AudioFile:
    """An audio file that is decoded as it is read, so that memory does not grow with its length.

    Frames that cannot be decoded are skipped and counted: a damaged episode is worth what is left of it.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.broken_frames = 0
        """Packets skipped so far because they could not be decoded."""
        self.decoded_s = 0.0
        """Seconds decoded so far."""
        self.expected_s = self._probe()
        """Length that the file's header claims, in seconds; 0.0 where it claims none."""

    def _probe(self) -> float:
        if not self.path.is_file():
            raise AudioError(f"{self.path.name}: there is no such file where the worker looks, {self.path}.")
        if self.path.stat().st_size == 0:
            raise AudioError(f"{self.path.name} is empty (0 bytes); copy it again from where it came.")
        try:
            with av.open(str(self.path), metadata_errors="ignore") as container:
                if not container.streams.audio:
                    raise AudioError(f"{self.path.name} has no audio track; check that it is the right file.")
                return (container.duration or 0) / av.time_base
        except (FFmpegError, ValueError) as error:
            raise self._unreadable(error) from None

    def blocks(self) -> Iterator[Samples]:
        """Yield the decoded audio in order, in blocks as the codec gives them.

        Raises:
            AudioError: nothing in the file can be decoded.
        """
        reason: Exception | None = None
        resampler = Resampler()
        with av.open(str(self.path), metadata_errors="ignore") as container:
            packets = container.demux(container.streams.audio[0])
            while True:
                try:
                    packet = next(packets, None)
                    if packet is None:
                        break
                    decoded = [part for frame in packet.decode() for part in resampler.resample(frame)]
                except (FFmpegError, ValueError) as error:
                    self.broken_frames += 1
                    reason = error
                    if isinstance(error, av.error.EOFError | OSError):  # the demuxer cannot go on
                        break
                    continue
                yield from map(self._counted, decoded)
            yield from map(self._counted, resampler.rest())
        if not self.decoded_s:
            raise self._unreadable(reason or ValueError("it has no sound in it"))

    def _counted(self, samples: Samples) -> Samples:
        self.decoded_s += len(samples) / SAMPLE_RATE_HZ
        return samples

    def _unreadable(self, error: Exception) -> AudioError:
        return AudioError(
            f"{self.path.name} cannot be decoded as audio ({_short(error)}); "
            "check that the file is complete and is an audio or video file."
        )


def load(path: Path) -> Samples:
    """Return a whole file's audio as one array: 4 bytes a sample, 3.8 MB a minute.

    Raises:
        AudioError: the file is not there, is empty, or nothing in it can be decoded.
    """
    return np.concatenate(list(AudioFile(path).blocks()))


def _samples(frame: av.AudioFrame) -> Samples:
    return frame.to_ndarray().reshape(-1).astype(np.float32) / np.float32(32768)


def _short(error: Exception) -> str:
    return (getattr(error, "strerror", None) or str(error)).rstrip(".")
