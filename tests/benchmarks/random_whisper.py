"""Whispers with random weights and windows of noise: for measuring speed and memory, never quality.

The text's context is cut so that a window of 30 s gets 120 tokens, speech's four a second; no guard sends a
window round again.
"""

from typing import Any

import numpy as np
import torch
from whisper.model import ModelDimensions, Whisper

from workers.audio.audio_file import SAMPLE_RATE_HZ
from workers.audio.vad import FRAME_SAMPLES
from workers.device import ComputeDevice
from workers.memory.device_priority import DevicePriority, NoDevicePriority
from workers.memory.geometry import whisper_dimensions
from workers.precision import FP32, choose
from workers.whisper import WhisperEngine
from workers.whisper.batch_transcriber import DecodingOptions
from workers.whisper.windows import Window

SPOKEN_TOKENS = 120
WINDOW_S = 30
SMALL = ModelDimensions(80, 1500, 128, 2, 2, 51865, 2 * SPOKEN_TOKENS, 128, 2, 2)
"""Instead of the real geometry, where there is no card."""
CARE = DecodingOptions(beams=0, second_look=False, temperatures=())


def dimensions(place: ComputeDevice, name: str, *, is_real: bool = False) -> ModelDimensions:
    """Return the real geometry of a name on a card, or if asked for, and a small one on a CPU."""
    if place.device.type != "cuda" and not is_real:
        return SMALL
    real = whisper_dimensions(name)
    real.n_text_ctx = 2 * SPOKEN_TOKENS
    return real


def random_model(place: ComputeDevice, name: str, *, is_real: bool = False) -> Whisper:
    """Return openai-whisper's model, with weights that give finite numbers."""
    torch.manual_seed(0)
    with place.device:
        model = Whisper(dimensions(place, name, is_real=is_real)).eval()
    with torch.no_grad():
        for weight in model.parameters():
            weight.normal_(std=0.02)
        model.decoder.positional_embedding.normal_()  # each place has a token of its own, and no text is cut as a loop
        for weight in model.parameters():
            weight.copy_(weight.half())  # as published; a CPU keeps the decoder's in 16 bits only if nothing is lost
    return model.half() if place.device.type == "cuda" else model


def random_engine(
    place: ComputeDevice,
    name: str,
    batch: int,
    priority: DevicePriority | NoDevicePriority | None = None,
    *,
    is_real: bool = False,
) -> WhisperEngine:
    """Return the fast leg's engine around it, in the precision of the device."""
    precision = choose(place.device) if place.device.type == "cuda" or is_real else FP32
    model = random_model(place, name, is_real=is_real)
    return WhisperEngine(model, name, precision=precision, batch_size=batch, decoding_options=CARE, priority=priority)


def noise_windows(count: int) -> list[Window]:
    """Return so many windows of 30 s."""
    samples = (np.random.default_rng(0).standard_normal((count, WINDOW_S * SAMPLE_RATE_HZ)) / 10).astype(np.float32)
    speech = np.ones(WINDOW_S * SAMPLE_RATE_HZ // FRAME_SAMPLES, np.float32)
    return [Window(part, ((0.0, float(index * WINDOW_S)),), speech) for index, part in enumerate(samples)]


def stock_options() -> dict[str, Any]:
    """Return what makes `whisper.transcribe` do equally much: greedy, no second try, whole windows."""
    return {
        "language": "en",
        "temperature": 0.0,
        "without_timestamps": True,
        "condition_on_previous_text": False,
        "compression_ratio_threshold": None,
        "logprob_threshold": None,
        "no_speech_threshold": None,
    }
