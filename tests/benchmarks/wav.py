"""WAV files for the benchmarks of speech: 16 kHz, mono, 16 bits."""

import wave
from pathlib import Path

import numpy as np

from workers.audio.audio_file import SAMPLE_RATE_HZ, load


def write(audio: Path, target: Path, minutes: float | None = None) -> float:
    """Write an audio file as WAV, once or as often as those minutes take, and return the seconds it has."""
    samples = (np.clip(load(audio), -1, 1) * 32767).astype("<i2")
    left = total = len(samples) if minutes is None else round(minutes * 60 * SAMPLE_RATE_HZ)
    with wave.open(str(target), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(SAMPLE_RATE_HZ)
        while left > 0:
            file.writeframes(samples[:left].tobytes())
            left -= len(samples)
    return total / SAMPLE_RATE_HZ
