"""whisperX itself, with the settings of its command line: pyannote's speech detection, batches of 8, five beams.

The weights of the speech detector are inside its package. int8 is its own option for a processor; its default there,
float32, is slower. Words have no times here: its alignment needs wav2vec2, which only a model hub has. The whole
text comes at the end. Its requirements leave out what it does not import here, triton, torchvision and torchcodec,
and have a newer torch than it asks for, because the older one comes only with CUDA.
"""

from pathlib import Path

from tests.benchmarks.systems.protocol import Heard, Transcribe, pcm, serve


def load(weights: Path, threads: int) -> Transcribe:
    """Return whisperX's pipeline up to, and without, the alignment."""
    import numpy as np
    import torch
    import whisperx

    torch.set_num_threads(threads)
    pipeline = whisperx.load_model(str(weights), "cpu", compute_type="int8", threads=threads)

    def transcribe(audio: Path) -> Heard:
        samples = np.frombuffer(pcm(audio), "<i2").astype(np.float32) / 32768
        # It would keep the language of the first file it hears.
        pipeline.tokenizer = None
        found = pipeline.transcribe(samples, batch_size=8)
        return Heard(" ".join(segment["text"].strip() for segment in found["segments"]))

    return transcribe


if __name__ == "__main__":
    serve({"whisperX": load})
