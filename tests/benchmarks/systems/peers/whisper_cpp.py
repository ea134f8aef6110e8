"""whisper.cpp through pywhispercpp, with weights of 16 and of 8 bits.

Its settings are pywhispercpp's own: greedy with higher temperatures where whisper.cpp distrusts a text, segments with
times, flash attention. Word times (`token_timestamps`) are off, as by default. The language is detected, as by all
systems. Its speech detection needs a model of its own that no package has. There are no batches.
"""

import time
from functools import partial
from pathlib import Path

from tests.benchmarks.systems.protocol import Heard, Transcribe, serve


def load(weights: Path, threads: int, *, kind: str) -> Transcribe:
    """Return whisper.cpp with one of the files in the folder."""
    from pywhispercpp.model import Model

    model = Model(str(weights / f"{kind}.bin"), n_threads=threads, language="auto", print_progress=False)

    def transcribe(audio: Path) -> Heard:
        began = time.perf_counter()
        seen: list[float] = []
        segments = model.transcribe(
            str(audio), new_segment_callback=lambda segment: seen.append(time.perf_counter() - began)
        )
        return Heard(" ".join(segment.text for segment in segments), first_text_s=seen[0] if seen else None)

    return transcribe


if __name__ == "__main__":
    serve({"whisper.cpp": partial(load, kind="f16"), "whisper.cpp-q8": partial(load, kind="q8_0")})
