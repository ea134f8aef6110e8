"""A hard episode made up from the samples: pauses, music before and under speech, noise, a telephone's band.

    python -m tests.benchmarks.made_up hard.wav

writes the audio and `hard.ref.json` beside it, the reference for `tests.benchmarks.whisper`. The same every time.
"""

import json
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import soundfile
from numpy.typing import NDArray
from scipy.signal import butter, sosfilt

from workers.audio.audio_file import SAMPLE_RATE_HZ, load

EPISODES = Path(__file__).parents[1] / "episodes"
CHORDS_HZ = ((220.0, 277.2, 329.6), (196.0, 246.9, 293.7), (174.6, 220.0, 261.6), (164.8, 207.7, 246.9))
CHORD_S = 2.0
RANDOM = np.random.default_rng(7)
Sound = NDArray[np.float32]


def clean(speech: Sound) -> Sound:
    """Leave it as it is."""
    return speech


def noisy(speech: Sound) -> Sound:
    """Add noise whose power falls by 3 dB an octave, 10 dB below the speech."""
    spectrum = np.fft.rfft(RANDOM.standard_normal(len(speech)))
    pink = np.fft.irfft(spectrum / np.sqrt(np.arange(1, len(spectrum) + 1)), len(speech))
    return beside(speech, pink, 10.0)


def with_music(speech: Sound) -> Sound:
    """Put music under it, 12 dB below the speech."""
    return beside(speech, music(len(speech) / SAMPLE_RATE_HZ), 12.0)


def by_telephone(speech: Sound) -> Sound:
    """Keep 300 to 3,400 Hz, and clip the loudest."""
    band = butter(4, (300, 3400), "bandpass", fs=SAMPLE_RATE_HZ, output="sos")
    heard = sosfilt(band, speech)
    limit = np.quantile(np.abs(heard), 0.98)
    return np.clip(heard, -limit, limit).astype(np.float32)


WAYS: tuple[Callable[[Sound], Sound], ...] = (clean, noisy, with_music, by_telephone)


def music(length_s: float) -> Sound:
    """Return chords of three tones with two overtones each."""
    seconds = np.arange(round(length_s * SAMPLE_RATE_HZ)) / SAMPLE_RATE_HZ
    sound = np.zeros_like(seconds)
    for place, chord in enumerate(CHORDS_HZ):
        on = (seconds // CHORD_S) % len(CHORDS_HZ) == place
        fade = np.exp(-(seconds % CHORD_S))
        for tone_hz in chord:
            for overtone in (1, 2, 3):
                sound += on * fade * np.sin(2 * np.pi * tone_hz * overtone * seconds) / overtone
    return (0.1 * sound / np.abs(sound).max()).astype(np.float32)


def beside(speech: Sound, other: NDArray[np.floating], below_db: float) -> Sound:
    wanted = np.sqrt((speech**2).mean()) * 10 ** (-below_db / 20)
    return (speech + other[: len(speech)] * wanted / np.sqrt((other**2).mean())).astype(np.float32)


def main() -> None:
    """Write the audio and its reference."""
    target = Path(sys.argv[1])
    parts, segments = [music(8.0)], []
    for way in WAYS:
        for episode in ("garden-hour.mp3", "corner-shop.m4a", "science-chat.ogg"):
            parts += [way(load(EPISODES / episode)), 1e-4 * RANDOM.standard_normal(SAMPLE_RATE_HZ * 4), music(5.0)]
            segments.append({"text": (EPISODES / episode).with_suffix(".txt").read_text()})
    soundfile.write(target, np.concatenate(parts).astype(np.float32), SAMPLE_RATE_HZ)
    target.with_suffix(".ref.json").write_text(json.dumps({"segments": segments}, indent=1))
    print(f"{target}: {sum(map(len, parts)) / SAMPLE_RATE_HZ:.0f} s")


if __name__ == "__main__":
    main()
