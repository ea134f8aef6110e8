"""The speech detector, beside silero-vad's own model."""

from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from workers.audio.audio_file import SAMPLE_RATE_HZ, Samples, load
from workers.audio.vad import FRAME_SAMPLES, GREATEST_GAIN, LEVEL, LEVEL_QUANTILE, SpeechDetector


@pytest.fixture(scope="module")
def speech(episodes: dict[str, Path]) -> Samples:
    return load(episodes["garden-hour"])[: 320 * FRAME_SAMPLES]


def silero(samples: Samples) -> NDArray[np.float32]:
    """Return the probability of each frame by silero-vad's own model, frame after frame."""
    threads = torch.get_num_threads()
    from silero_vad import load_silero_vad

    torch.set_num_threads(threads)  # importing silero_vad sets it to one
    model = load_silero_vad()
    frames = torch.from_numpy(samples).reshape(-1, FRAME_SAMPLES)
    return np.array([model(frame, SAMPLE_RATE_HZ).item() for frame in frames], np.float32)


def amplified(samples: Samples) -> Samples:
    """Return the samples at LEVEL, unless they are louder."""
    levels = np.sqrt(np.square(samples.reshape(-1, FRAME_SAMPLES)).mean(axis=1))
    gain = np.clip(LEVEL / np.quantile(levels, LEVEL_QUANTILE), 1.0, GREATEST_GAIN)
    louder: Samples = (samples * gain).astype(np.float32)
    return louder


@pytest.mark.parametrize("volume", [1.0, 0.1])
def test_it_gives_the_higher_probability_of_silero_with_its_state_and_afresh_at_a_level(
    speech: Samples, volume: float
) -> None:
    # given silero-vad's own model, in one go, and begun anew every 64 frames with 64 more before them, amplified
    heard = (speech * volume).astype(np.float32)
    restarts = range(64 * FRAME_SAMPLES, len(heard) + 1, 64 * FRAME_SAMPLES)
    afresh = [silero(amplified(heard[start - restarts.step : end]))[64:] for start, end in pairwise(restarts)]
    # when ours takes the frames in two blocks
    detector = SpeechDetector()
    blocks = np.split(heard, [128 * FRAME_SAMPLES])
    ours = np.concatenate([detector.probabilities(block) for block in blocks])
    # then it hears what either hears
    continued = silero(heard)
    assert ours[64:] == pytest.approx(np.maximum(continued[64:], np.concatenate(afresh)), abs=0.02)
    assert (ours[:64] >= continued[:64] - 1e-4).all()


def test_a_quiet_voice_is_heard_where_a_loud_one_is(speech: Samples) -> None:
    # given the same speech as recorded, and 46 dB quieter
    loud, quiet = speech, (speech * 0.005).astype(np.float32)
    # when both are heard
    found, faint = (SpeechDetector().probabilities(samples) > 0.35 for samples in (loud, quiet))
    # then hardly a frame of speech is missed in the quiet one
    assert found.mean() > 0.5
    assert faint[found].mean() > 0.95
