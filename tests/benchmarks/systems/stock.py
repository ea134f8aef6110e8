"""openai-whisper itself: greedy without second tries, the same with word times, and as by default (second tries)."""

from functools import partial
from pathlib import Path
from typing import Any

from tests.benchmarks.systems.protocol import Heard, Transcribe, serve


def load(weights: Path, threads: int, **options: Any) -> Transcribe:
    """Return `whisper.transcribe`; its decoding of the audio needs no ffmpeg here."""
    import torch

    from workers.audio.audio_file import load as samples_of

    torch.set_num_threads(threads)
    model = model_of(weights)
    has_words = bool(options.get("word_timestamps"))
    return lambda audio: Heard(
        str(model.transcribe(samples_of(audio), fp16=False, **options)["text"]), has_words=has_words
    )


def model_of(weights: Path) -> Any:
    """Return openai-whisper's model, with the alignment heads of its file's name."""
    import whisper

    model = whisper.load_model(str(weights), device="cpu")
    if heads := whisper._ALIGNMENT_HEADS.get(weights.stem):
        model.set_alignment_heads(heads)
    return model


if __name__ == "__main__":
    serve(
        {
            "stock": partial(load, temperature=0.0),
            "stock-words": partial(load, temperature=0.0, word_timestamps=True),
            "stock-default": load,
        }
    )
