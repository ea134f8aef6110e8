"""The fast leg's engine: speech to text on openai-whisper's weights, in batches of windows."""

from workers.whisper.engine import FinishedWindow, WhisperEngine

__all__ = ["FinishedWindow", "WhisperEngine"]
