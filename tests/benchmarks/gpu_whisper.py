"""Whisper's audio seconds per second on a device, and its memory against the plan.

    python -m tests.benchmarks.gpu_whisper --whisper large-v3 --way ours

The ways: `ours` at each batch; `stock` is `whisper.transcribe`; `transformers` is what its speech recognition
pipeline does with long audio, its feature extractor and `generate` on batches of 30 s (the pipeline itself
needs a tokenizer's files, which would have to be fetched). Weights are random, 120 tokens a window.
"""

import argparse
import json
import time
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import torch
import transformers

from pipeline.types import Options
from tests.benchmarks.gpu import BATCHES
from tests.benchmarks.random_whisper import (
    SPOKEN_TOKENS,
    WINDOW_S,
    dimensions,
    noise_windows,
    random_engine,
    random_model,
    stock_options,
)
from workers.device import ComputeDevice, choose
from workers.memory import cards
from workers.memory.activations import NUMBER_BYTES, whisper_bytes
from workers.memory.geometry import whisper_geometry
from workers.memory.reservation import peak_bytes
from workers.precision import choose as precision_of

MIB = 2**20


def ours(place: ComputeDevice, name: str, batches: tuple[int, ...]) -> Iterator[dict[str, Any]]:
    """Yield the figures of the engine of the fast leg at each batch."""
    engine = random_engine(place, name, 1)
    geometry, precision = whisper_geometry(name), precision_of(place.device).name
    for batch in batches:
        engine.batch_limit.size = batch
        windows = noise_windows(batch)
        try:
            seconds = _timed(place, lambda: list(engine.finished(iter(windows), Options(language="en"))))  # noqa: B023
        except RuntimeError as error:
            yield {"batch": batch, "error": str(error).splitlines()[0]}
            return
        figures: dict[str, Any] = {"batch": batch, "realtime": batch * WINDOW_S / seconds}
        if place.device.type == "cuda":
            planned = geometry.parameters * NUMBER_BYTES[precision] + whisper_bytes(geometry, precision, batch)
            peak = torch.cuda.max_memory_allocated(place.device)
            figures |= {"peak_mib": peak / MIB, "planned_mib": planned / MIB, "peak_of_plan": peak / planned}
        else:
            figures["peak_mib"] = peak_bytes() / MIB
        yield figures


def stock(place: ComputeDevice, name: str) -> Iterator[dict[str, Any]]:
    """Yield the figures of `whisper.transcribe`."""
    model = random_model(place, name).float()  # as openai-whisper keeps its weights; it computes in 16 bits
    audio = np.concatenate([window.samples for window in noise_windows(2)])
    options = stock_options() | {"fp16": place.device.type == "cuda"}
    seconds = _timed(place, lambda: model.transcribe(audio, **options))
    yield {"realtime": len(audio) / 16_000 / seconds}


def with_transformers(place: ComputeDevice, name: str, batches: tuple[int, ...]) -> Iterator[dict[str, Any]]:
    """Yield the figures of transformers' model in batches."""
    dims = dimensions(place, name)
    config = transformers.WhisperConfig(
        vocab_size=dims.n_vocab,
        num_mel_bins=dims.n_mels,
        d_model=dims.n_audio_state,
        encoder_layers=dims.n_audio_layer,
        encoder_attention_heads=dims.n_audio_head,
        decoder_layers=dims.n_text_layer,
        decoder_attention_heads=dims.n_text_head,
        encoder_ffn_dim=4 * dims.n_audio_state,
        decoder_ffn_dim=4 * dims.n_text_state,
        max_target_positions=448,
    )
    kind = torch.float16 if place.device.type == "cuda" else torch.float32
    with place.device:
        model: Any = transformers.WhisperForConditionalGeneration._from_config(config, dtype=kind).eval()
    extractor: Any = transformers.WhisperFeatureExtractor(feature_size=dims.n_mels)
    for batch in batches:
        samples = [window.samples for window in noise_windows(batch)]

        def hear(samples: list[Any] = samples) -> None:
            features = extractor(samples, sampling_rate=16_000, return_tensors="pt").input_features
            with torch.inference_mode():
                model.generate(
                    input_features=features.to(place.device, kind),
                    min_new_tokens=SPOKEN_TOKENS,
                    max_new_tokens=SPOKEN_TOKENS,
                    do_sample=False,
                )

        yield {"batch": batch, "realtime": batch * WINDOW_S / _timed(place, hear)}


def _timed(place: ComputeDevice, work: Callable[[], Any]) -> float:
    work()  # the first call of anything is slow
    if place.device.type == "cuda":
        torch.cuda.synchronize(place.device)
        torch.cuda.reset_peak_memory_stats(place.device)
    began = time.perf_counter()
    work()
    if place.device.type == "cuda":
        torch.cuda.synchronize(place.device)
    return time.perf_counter() - began


def main() -> None:
    """Measure one way and print a line of JSON for each batch."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--whisper", default="medium")
    parser.add_argument("--way", choices=("ours", "stock", "transformers"), default="ours")
    parser.add_argument("--device", default="auto")
    args = parser.parse_args()
    place = choose(args.device)
    is_cuda = cards.of(place).is_cuda
    batches = BATCHES if is_cuda else (1, 2)
    ways: dict[str, Callable[[], Iterator[dict[str, Any]]]] = {
        "ours": lambda: ours(place, args.whisper, batches),
        "stock": lambda: stock(place, args.whisper),
        "transformers": lambda: with_transformers(place, args.whisper, (1, 16) if is_cuda else (1,)),
    }
    for figures in ways[args.way]():
        print(json.dumps({"geometry": args.whisper if is_cuda else "scaled down"} | figures), flush=True)


if __name__ == "__main__":
    main()
