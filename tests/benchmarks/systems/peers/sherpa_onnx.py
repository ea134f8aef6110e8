"""sherpa-onnx in int8, cut by its own runner of silero's speech detector, as its examples for files do.

Its Whisper decodes greedily, which is all that it has, and in calls of several stretches still one after the other.
It is told English, its default: it can only detect the language of each stretch anew, and short ones came out in
another. Stretches have the detector's default lengths, 20 s at the most: it pads each with 10 s and cuts at 30 s.
"""

import time
from pathlib import Path

from tests.benchmarks.systems.protocol import SAMPLE_RATE_HZ, Heard, Transcribe, pcm, serve

BUFFER_S = 60


def load(weights: Path, threads: int) -> Transcribe:
    """Return sherpa-onnx behind its speech detector."""
    import numpy as np
    import sherpa_onnx

    recognizer = sherpa_onnx.OfflineRecognizer.from_whisper(
        encoder=str(weights / "encoder.onnx"),
        decoder=str(weights / "decoder.onnx"),
        tokens=str(weights / "tokens.txt"),
        num_threads=threads,
    )
    silero = sherpa_onnx.SileroVadModelConfig(model=str(weights / "silero_vad.onnx"))
    config = sherpa_onnx.VadModelConfig(silero_vad=silero, sample_rate=SAMPLE_RATE_HZ)

    def transcribe(audio: Path) -> Heard:
        began = time.perf_counter()
        samples = np.frombuffer(pcm(audio), "<i2").astype(np.float32) / 32768
        detector = sherpa_onnx.VoiceActivityDetector(config, buffer_size_in_seconds=BUFFER_S)
        texts: list[str] = []
        first_text_s = None
        for start in range(0, len(samples), silero.window_size):
            detector.accept_waveform(samples[start : start + silero.window_size])
            if start + silero.window_size >= len(samples):
                detector.flush()
            while not detector.empty():
                stream = recognizer.create_stream()
                stream.accept_waveform(SAMPLE_RATE_HZ, np.asarray(detector.front.samples, np.float32))
                detector.pop()
                recognizer.decode_stream(stream)
                texts.append(stream.result.text)
                if detector.empty() and not detector.is_speech_detected():
                    detector.reset()  # otherwise it hears no speech any more after a long pause
                first_text_s = first_text_s or time.perf_counter() - began
        return Heard(" ".join(texts), first_text_s=first_text_s)

    return transcribe


if __name__ == "__main__":
    serve({"sherpa-onnx": load})
