"""Whisper through openai-whisper: the whole file in memory, decoded window after window."""

from pathlib import Path
from typing import Any

import numpy as np
import whisper

from pipeline.settings import settings
from pipeline.types import Options, Segment, Transcript
from workers.audio import AudioFile, Samples
from workers.device import device
from workers.engines import Report
from workers.weights import load_whisper


class WhisperTranscriber:
    """`whisper.transcribe`, greedy, with word times (https://github.com/openai/whisper)."""

    def __init__(self, name: str, on_device: str) -> None:
        self.model = f"whisper-{Path(name).stem}"
        self._whisper = load_whisper(name, on_device)
        self._is_half = on_device.startswith("cuda")

    def transcribe(self, audio: Path, options: Options, report: Report) -> Transcript:
        """Return the transcript of a whole file; see `Transcriber`."""
        file = AudioFile(audio)
        samples: Samples = np.concatenate(list(file.blocks()))
        report(0.0, file.decoded_s)
        heard: dict[str, Any] = whisper.transcribe(
            self._whisper,
            samples,
            language=options.language,
            temperature=0.0,
            word_timestamps=True,
            fp16=self._is_half,
            verbose=None,
        )
        report(file.decoded_s, file.decoded_s)
        return Transcript(
            text=heard["text"].strip(),
            language=heard["language"],
            segments=tuple(Segment.model_validate(segment) for segment in heard["segments"]),
            audio_s=round(file.decoded_s, 3),
            expected_s=round(file.expected_s, 3),
            broken_frames=file.broken_frames,
            model=self.model,
        )


def load_transcriber() -> WhisperTranscriber:
    """Return the transcriber that the settings ask for.

    Raises:
        EngineError: the model or the device is not to be had.
    """
    return WhisperTranscriber(settings().whisper_model, device())
