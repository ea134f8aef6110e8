"""The benchmarks' Whispers say as much as they promise."""

import torch

from pipeline.types import Options
from tests.benchmarks.random_whisper import SPOKEN_TOKENS, noise_windows, random_engine
from workers.device import ComputeDevice
from workers.whisper.decoding import decode


def test_a_window_gets_as_many_tokens_as_are_promised() -> None:
    # Given a Whisper of random weights and windows of noise
    transcriber = random_engine(ComputeDevice(torch.device("cpu"), torch.float32), "medium", 2).transcriber

    # When they are decoded
    decoded = decode(
        transcriber.decoder, transcriber.prompt("en", Options()), transcriber.start_batch(noise_windows(2))
    )

    # Then no text ended early, as a loop does
    assert [len(one.tokens) for one in decoded] == [SPOKEN_TOKENS] * 2
