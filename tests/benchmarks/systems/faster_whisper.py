"""faster-whisper in int8: greedy, with five beams, in its own batches, and in whisperX's stretches of speech."""

import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from tests.benchmarks.systems.protocol import SAMPLE_RATE_HZ, Heard, Transcribe, serve

LONGEST_S = 30.0


def one_by_one(weights: Path, threads: int, *, beams: int) -> Transcribe:
    """Return faster-whisper, one window after the other."""
    return _heard(partial(_model(weights, threads).transcribe, beam_size=beams))


def batched(weights: Path, threads: int) -> Transcribe:
    """Return faster-whisper's own batches, cut by its own speech detection."""
    from faster_whisper import BatchedInferencePipeline

    return _heard(partial(BatchedInferencePipeline(_model(weights, threads)).transcribe, beam_size=1, batch_size=8))


def whisperx_way(weights: Path, threads: int) -> Transcribe:
    """Return whisperX's way: speech merged to stretches of up to 30 s, these in batches."""
    from faster_whisper import BatchedInferencePipeline
    from faster_whisper.audio import decode_audio

    system = BatchedInferencePipeline(_model(weights, threads))

    def run(audio: str) -> tuple[Any, Any]:
        samples: Any = decode_audio(audio)
        clips: Any = _stretches(samples)
        answer: tuple[Any, Any] = system.transcribe(
            samples, beam_size=1, batch_size=8, vad_filter=False, clip_timestamps=clips
        )
        return answer

    return _heard(run)


def _stretches(samples: Any) -> list[dict[str, float]]:
    from faster_whisper.vad import VadOptions, get_speech_timestamps

    detection = VadOptions(max_speech_duration_s=29.0, min_silence_duration_ms=100, speech_pad_ms=200)
    stretches: list[dict[str, float]] = []
    for speech in get_speech_timestamps(samples, detection):
        start_s, end_s = speech["start"] / SAMPLE_RATE_HZ, speech["end"] / SAMPLE_RATE_HZ
        if stretches and end_s - stretches[-1]["start"] <= LONGEST_S:
            stretches[-1]["end"] = end_s
        else:
            stretches.append({"start": start_s, "end": end_s})
    return stretches


def _model(weights: Path, threads: int) -> Any:
    from faster_whisper import WhisperModel

    return WhisperModel(str(weights), device="cpu", compute_type="int8", cpu_threads=threads)


def _heard(run: Callable[[str], tuple[Any, Any]]) -> Transcribe:
    def transcribe(audio: Path) -> Heard:
        began = time.perf_counter()
        first_text_s = None
        texts = []
        for segment in run(str(audio))[0]:  # a generator: the work is done while it is read
            first_text_s = first_text_s or time.perf_counter() - began
            texts.append(segment.text)
        return Heard("".join(texts), first_text_s=first_text_s)

    return transcribe


if __name__ == "__main__":
    serve(
        {
            "faster-whisper": partial(one_by_one, beams=1),
            "faster-whisper-beam": partial(one_by_one, beams=5),
            "faster-whisper-batched": batched,
            "whisperx-way": whisperx_way,
        }
    )
