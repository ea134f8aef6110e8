"""onnx-asr in int8, cut where the audio is quietest instead of by its own Silero-VAD (see `stretches`).

Its Whisper takes half a minute at most, and decodes greedily and without times. The language is detected, as by all
systems, but anew in each stretch.
"""

from pathlib import Path
from typing import Any

from tests.benchmarks.systems.peers.stretches import one_by_one
from tests.benchmarks.systems.protocol import SAMPLE_RATE_HZ, Transcribe, serve

LONGEST_S = 29.0


def load(weights: Path, threads: int) -> Transcribe:
    """Return onnx-asr's Whisper, one stretch after the other."""
    import onnx_asr
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    model = onnx_asr.load_model("whisper", weights, quantization="int8", sess_options=options)

    def recognize(stretch: Any) -> str:
        return str(model.recognize(stretch, sample_rate=SAMPLE_RATE_HZ))

    return one_by_one(recognize, LONGEST_S)


if __name__ == "__main__":
    serve({"onnx-asr": load})
