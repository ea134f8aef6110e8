"""The recordings of the benchmark of accuracy: the same every time, with every clip in its place."""

import numpy as np
import pytest

from tests.benchmarks.degradations import DEGRADATIONS, FAST
from workers.audio.audio_file import SAMPLE_RATE_HZ

CLIP_S = 2


def clips() -> list[np.ndarray]:
    random = np.random.default_rng(0)
    return [(0.1 * random.standard_normal(CLIP_S * SAMPLE_RATE_HZ)).astype(np.float32) for _ in range(4)]


@pytest.mark.parametrize("way", DEGRADATIONS)
def test_a_degraded_recording_is_the_same_every_time_and_has_each_clip_once(way: str) -> None:
    # Given four clips
    # When they are made worse twice
    first, second = DEGRADATIONS[way](clips()), DEGRADATIONS[way](clips())

    # Then both are the same sound, and no clip is lost
    assert np.array_equal(first.samples, second.samples)
    assert np.isfinite(first.samples).all()
    assert first.samples.any()
    assert sorted(first.order) == [0, 1, 2, 3]
    assert first.order == second.order


@pytest.mark.parametrize("way", [way for way in DEGRADATIONS if way != "whole"])
def test_every_way_changes_the_sound(way: str) -> None:
    # Given the clips as they are
    whole = DEGRADATIONS["whole"](clips()).samples

    # Then a way leaves something else
    degraded = DEGRADATIONS[way](clips()).samples
    assert len(degraded) != len(whole) or not np.allclose(degraded, whole, atol=1e-4)


def test_a_faster_recording_is_as_much_shorter() -> None:
    # Given clips of eight seconds in all
    # When they are sped up, then they take so much less
    length_s = len(DEGRADATIONS["1.5x speed"](clips()).samples) / SAMPLE_RATE_HZ
    assert length_s == pytest.approx(4 * CLIP_S / FAST, abs=0.1)
