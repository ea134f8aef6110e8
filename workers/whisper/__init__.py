"""The Whisper engine of the fast leg: batched transcription with openai-whisper's weights."""

from workers.whisper.engine import FinishedWindow, WhisperEngine

__all__ = ["FinishedWindow", "WhisperEngine"]
