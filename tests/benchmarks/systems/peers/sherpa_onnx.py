"""sherpa-onnx in int8, cut where the audio is quietest instead of by its own runner of Silero-VAD (see `stretches`).

A stretch has 20 s at most, as its own detector would make it: sherpa-onnx pads each with 10 s and cuts at 30 s. Its
Whisper decodes greedily, which is all that it has, and in calls of several stretches still one after the other. The
language is detected, as by all systems, but anew in each stretch.
"""

import time
from pathlib import Path

from tests.benchmarks.systems.peers.stretches import stretches
from tests.benchmarks.systems.protocol import SAMPLE_RATE_HZ, Heard, Transcribe, pcm, serve

LONGEST_S = 20.0


def load(weights: Path, threads: int) -> Transcribe:
    """Return sherpa-onnx's Whisper, one stretch after the other."""
    import numpy as np
    import sherpa_onnx

    recognizer = sherpa_onnx.OfflineRecognizer.from_whisper(
        encoder=str(weights / "encoder.onnx"),
        decoder=str(weights / "decoder.onnx"),
        tokens=str(weights / "tokens.txt"),
        language="",
        num_threads=threads,
    )

    def transcribe(audio: Path) -> Heard:
        began = time.perf_counter()
        samples = np.frombuffer(pcm(audio), "<i2").astype(np.float32) / 32768
        texts: list[str] = []
        first_text_s = None
        for stretch in stretches(samples, LONGEST_S):
            stream = recognizer.create_stream()
            stream.accept_waveform(SAMPLE_RATE_HZ, stretch)
            recognizer.decode_stream(stream)
            texts.append(stream.result.text)
            first_text_s = first_text_s or time.perf_counter() - began
        return Heard(" ".join(texts), first_text_s=first_text_s)

    return transcribe


if __name__ == "__main__":
    serve({"sherpa-onnx": load})
