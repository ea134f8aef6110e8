"""The stretches of audio that peers of the benchmarks hear one after the other."""

import numpy as np

from tests.benchmarks.systems.peers.stretches import stretches
from tests.benchmarks.systems.protocol import SAMPLE_RATE_HZ


def test_all_the_audio_is_in_stretches_cut_where_it_is_quietest() -> None:
    # given a minute of noise with a pause at 17 s and one at 30 s
    samples = np.random.default_rng(0).normal(0, 0.1, 60 * SAMPLE_RATE_HZ).astype(np.float32)
    for pause_s in (17, 30):
        samples[pause_s * SAMPLE_RATE_HZ : (pause_s + 1) * SAMPLE_RATE_HZ] = 0
    # when it is cut into stretches of at most 20 s
    parts = list(stretches(samples, 20.0))
    # then nothing is left out, none is longer, and the first two cuts are in the pauses
    assert np.array_equal(np.concatenate(parts), samples)
    assert max(map(len, parts)) <= 20 * SAMPLE_RATE_HZ
    ends_s = np.cumsum([len(part) for part in parts]) / SAMPLE_RATE_HZ
    assert 17 < ends_s[0] < 18
    assert 30 < ends_s[1] < 31
