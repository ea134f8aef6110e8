"""Sound for Voxtral's tests: noise that no two chunks of which are alike, with pauses where wanted."""

from pathlib import Path

import numpy as np
import soundfile

from workers.audio.audio_file import SAMPLE_RATE_HZ, Samples


def noise(seconds: float, seed: int = 0) -> Samples:
    """Return noise whose loudness wanders."""
    generator = np.random.default_rng(seed)
    count = round(seconds * SAMPLE_RATE_HZ)
    steps = 0.2 + generator.random(count // 8000 + 2)
    loudness = np.interp(np.arange(count) / 8000, np.arange(len(steps)), steps)
    return (generator.standard_normal(count) * loudness * 0.1).astype(np.float32)


def with_pauses(seconds: float, every_s: float, pause_s: float = 0.6, seed: int = 0) -> Samples:
    """Return noise with a silent pause after each `every_s` seconds."""
    samples = noise(seconds, seed)
    step, pause = round((every_s + pause_s) * SAMPLE_RATE_HZ), round(pause_s * SAMPLE_RATE_HZ)
    for end in range(step, len(samples) + step, step):
        samples[end - pause : end] = 0
    return samples


def wav(path: Path, samples: Samples, rate_hz: int = SAMPLE_RATE_HZ, channels: int = 1) -> Path:
    """Write samples as a WAV file of any rate and number of channels and return its path."""
    count = round(len(samples) * rate_hz / SAMPLE_RATE_HZ)
    there = np.interp(np.arange(count) * SAMPLE_RATE_HZ / rate_hz, np.arange(len(samples)), samples)
    soundfile.write(path, np.stack([there] * channels, axis=1), rate_hz, subtype="PCM_16")
    return path
