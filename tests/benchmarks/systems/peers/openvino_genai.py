"""OpenVINO GenAI's pipeline with weights of 8 bits; to have 8 bits everywhere, its exporter needs a data set of a hub.

It takes audio of any length itself, guided by the times of segments, and decodes greedily. It has no speech detection
and no batches; for more than half a minute its whole text comes at the end. Word times (`word_timestamps`) are off, as
by default. The language is detected, as by all systems.
"""

from pathlib import Path

from tests.benchmarks.systems.protocol import Heard, Transcribe, pcm, serve


def load(weights: Path, threads: int) -> Transcribe:
    """Return the pipeline on a processor."""
    import numpy as np
    import openvino_genai

    pipeline = openvino_genai.WhisperPipeline(str(weights), "CPU", INFERENCE_NUM_THREADS=threads)

    def transcribe(audio: Path) -> Heard:
        samples = np.frombuffer(pcm(audio), "<i2").astype(np.float32) / 32768
        return Heard(pipeline.generate(samples, return_timestamps=True).texts[0])

    return transcribe


if __name__ == "__main__":
    serve({"openvino-genai": load})
