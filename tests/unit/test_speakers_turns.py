"""From the speakers of windows to turns, and from frames to windows."""

import numpy as np
import pytest
import torch

from workers.audio.audio_file import SAMPLE_RATE_HZ
from workers.audio.vad import FRAME_SAMPLES
from workers.speakers.features import log_mel
from workers.speakers.turns import turns_of
from workers.speakers.windows import LONGEST_FRAMES, WINDOW_SAMPLES, Stretches, windows_of

KALDI = [
    5.1822,
    9.3327,
    -2.4268,
    -4.1961,
    0.0,
    0.8357,
    -1.4858,
    -2.4268,
    9.0814,
    0.0,
    -2.1987,
    -1.4858,
    -2.4268,
    -4.1961,
    0.0,
]


def told(spans: list[tuple[float, float]], speakers: list[int]) -> list[tuple[str, float, float]]:
    return [(turn.speaker, turn.start_s, turn.end_s) for turn in turns_of(spans, speakers)[0]]


def test_speakers_are_named_in_the_order_of_their_first_words() -> None:
    # When
    turns, numbers = turns_of([(0.0, 1.5), (3.0, 4.5), (9.0, 10.5)], [4, 1, 4])

    # Then
    assert [turn.speaker for turn in turns] == ["S1", "S2", "S1"]
    assert numbers == {"S1": 4, "S2": 1}


def test_the_middle_of_two_overlapping_windows_divides_their_speakers() -> None:
    assert told([(0.0, 1.5), (0.6, 2.1), (1.2, 2.7)], [0, 0, 1]) == [("S1", 0.0, 1.65), ("S2", 1.65, 2.7)]


def test_short_pauses_are_within_a_turn_and_long_ones_are_not() -> None:
    assert told([(0.0, 1.5), (2.5, 4.0), (5.1, 6.6)], [0, 0, 0]) == [("S1", 0.0, 4.0), ("S1", 5.1, 6.6)]


def test_a_very_short_turn_within_anothers_is_swallowed() -> None:
    assert told([(0.0, 3.0), (3.1, 3.3), (3.4, 6.0)], [0, 1, 0]) == [("S1", 0.0, 6.0)]


def test_a_very_short_turn_between_two_speakers_stays() -> None:
    assert [it[0] for it in told([(0.0, 3.0), (3.1, 3.3), (3.4, 6.0)], [0, 1, 2])] == ["S1", "S2", "S3"]


def test_windows_cover_a_stretch_of_speech_to_its_end() -> None:
    # Given: 3 s of speech that begin at 10 s
    speech = np.arange(3 * SAMPLE_RATE_HZ, dtype=np.float32)

    # When
    found = list(windows_of(10 * SAMPLE_RATE_HZ, speech))

    # Then
    assert [(it.start_s, it.end_s) for it in found] == [(10.0, 11.5), (10.6, 12.1), (11.2, 12.7), (11.5, 13.0)]
    assert found[-1].samples[-1] == speech[-1]


def test_short_speech_is_repeated_to_fill_its_window() -> None:
    # When
    (window,) = windows_of(0, np.arange(8000, dtype=np.float32))

    # Then
    assert (window.start_s, window.end_s) == (0.0, 0.5)
    assert len(window.samples) == WINDOW_SAMPLES
    assert window.samples[8000] == 0.0


def test_speech_without_a_pause_is_cut_so_that_memory_stays_flat() -> None:
    # Given
    stretches, frames = Stretches(), 5 * LONGEST_FRAMES // 2

    # When
    samples = np.zeros(frames * FRAME_SAMPLES, np.float32)
    found = [*stretches.feed(samples, np.ones(frames, np.float32)), *stretches.finish()]

    # Then
    longest = LONGEST_FRAMES * FRAME_SAMPLES
    assert [start for start, _ in found] == [0, longest, 2 * longest]
    assert sum(len(speech) for _, speech in found) == len(samples)


def test_features_are_those_of_kaldi() -> None:
    # Given: a rising tone, and what torchaudio.compliance.kaldi.fbank 2.9.0 makes of it, less the mean
    seconds = torch.arange(WINDOW_SAMPLES, dtype=torch.float64) / SAMPLE_RATE_HZ
    tone = (0.1 * torch.sin(2 * torch.pi * (200.0 + 1000.0 * seconds) * seconds)).float()

    # When
    found = log_mel(tone[None])[0]

    # Then
    assert found.shape == (148, 80)
    assert found[[0, 74, 147]][:, [0, 10, 20, 40, 79]].flatten().tolist() == pytest.approx(KALDI, abs=2e-3)
