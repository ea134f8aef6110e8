"""The transcriber that the settings ask for."""

from pathlib import Path

from pipeline.settings import Settings
from workers.device import choose
from workers.engines import Transcriber
from workers.weights import load_whisper
from workers.whisper.engine import WhisperEngine


def load_transcriber(settings: Settings) -> Transcriber:
    """Load the model that the settings name, ready to be used.

    Raises:
        EngineError: the model or the device is not to be had.
    """
    model = load_whisper(settings.whisper_model, choose(settings.device).device)
    return WhisperEngine(model, f"whisper-{Path(settings.whisper_model).stem}")
