"""onnx-asr in int8, cut where the audio is quietest instead of by its own Silero-VAD (see `stretches`).

Its Whisper takes half a minute at most, and decodes greedily and without times. The language is detected, as by all
systems, but anew in each stretch.
"""

import time
from pathlib import Path

from tests.benchmarks.systems.peers.stretches import stretches
from tests.benchmarks.systems.protocol import SAMPLE_RATE_HZ, Heard, Transcribe, pcm, serve

LONGEST_S = 29.0


def load(weights: Path, threads: int) -> Transcribe:
    """Return onnx-asr's Whisper, one stretch after the other."""
    import numpy as np
    import onnx_asr
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    model = onnx_asr.load_model("whisper", weights, quantization="int8", sess_options=options)

    def transcribe(audio: Path) -> Heard:
        began = time.perf_counter()
        samples = np.frombuffer(pcm(audio), "<i2").astype(np.float32) / 32768
        texts: list[str] = []
        first_text_s = None
        for stretch in stretches(samples, LONGEST_S):
            texts.append(model.recognize(stretch, sample_rate=SAMPLE_RATE_HZ))
            first_text_s = first_text_s or time.perf_counter() - began
        return Heard(" ".join(texts), first_text_s=first_text_s)

    return transcribe


if __name__ == "__main__":
    serve({"onnx-asr": load})
