"""sherpa-onnx in int8, cut where the audio is quietest instead of by its own runner of Silero-VAD (see `stretches`).

A stretch has 20 s at most, as its own detector would make it: sherpa-onnx pads each with 10 s and cuts at 30 s. Its
Whisper decodes greedily, which is all that it has, and in calls of several stretches still one after the other. The
language is detected, as by all systems, but anew in each stretch.
"""

from pathlib import Path
from typing import Any

from tests.benchmarks.systems.peers.stretches import one_by_one
from tests.benchmarks.systems.protocol import SAMPLE_RATE_HZ, Transcribe, serve

LONGEST_S = 20.0


def load(weights: Path, threads: int) -> Transcribe:
    """Return sherpa-onnx's Whisper, one stretch after the other."""
    import sherpa_onnx

    recognizer = sherpa_onnx.OfflineRecognizer.from_whisper(
        encoder=str(weights / "encoder.onnx"),
        decoder=str(weights / "decoder.onnx"),
        tokens=str(weights / "tokens.txt"),
        language="",
        num_threads=threads,
    )

    def recognize(stretch: Any) -> str:
        stream = recognizer.create_stream()
        stream.accept_waveform(SAMPLE_RATE_HZ, stretch)
        recognizer.decode_stream(stream)
        return str(stream.result.text)

    return one_by_one(recognize, LONGEST_S)


if __name__ == "__main__":
    serve({"sherpa-onnx": load})
