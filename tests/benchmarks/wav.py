"""WAV files for the benchmarks of speech: 16 kHz, mono, 16 bits."""

import wave
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from workers.audio.audio_file import SAMPLE_RATE_HZ, load


def write(audio: Path, target: Path, minutes: float | None = None) -> float:
    """Write an audio file as WAV, once or as often as those minutes take, and return the seconds it has."""
    samples = load(audio)
    length = len(samples) if minutes is None else round(minutes * 60 * SAMPLE_RATE_HZ)
    write_repeated(samples, target, length)
    return length / SAMPLE_RATE_HZ


def write_repeated(samples: NDArray[np.float32], target: Path, length: int) -> None:
    """Write so many samples, from the first on as often as it takes, a repetition at a time."""
    pcm = (samples.clip(-1, 1) * 32767).astype("<i2")
    with wave.open(str(target), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(SAMPLE_RATE_HZ)
        while length > 0:
            file.writeframes(pcm[:length].tobytes())
            length -= len(pcm)
