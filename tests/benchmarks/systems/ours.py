"""The engine of the fast leg, word times and second looks included: as set, with second readings, and in float32."""

import time
from functools import partial
from pathlib import Path

from tests.benchmarks.systems.protocol import Heard, Transcribe, serve
from tests.benchmarks.systems.stock import model_of


def load(weights: Path, threads: int, *, in_float32: bool = False, second_reading: bool = False) -> Transcribe:
    """Return Duet's engine."""
    import torch

    from pipeline.types import Options
    from workers.precision import FP32
    from workers.whisper import WhisperEngine
    from workers.whisper.batch_transcriber import DecodingOptions

    torch.set_num_threads(threads)
    engine = WhisperEngine(
        model_of(weights),
        "benchmark",
        precision=FP32 if in_float32 else None,
        decoding_options=DecodingOptions(second_reading=second_reading),
    )

    def transcribe(audio: Path) -> Heard:
        began = time.perf_counter()
        seen: list[float] = []
        heard = engine.transcribe(
            audio,
            Options(),
            lambda done_s, total_s: None,
            on_segments=lambda segments: seen.append(time.perf_counter() - began),
        )
        return Heard(heard.text, first_text_s=seen[0] if seen else None, has_words=True)

    return transcribe


if __name__ == "__main__":
    serve({"ours": load, "ours-best": partial(load, second_reading=True), "ours-fp32": partial(load, in_float32=True)})
