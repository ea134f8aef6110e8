"""Conversions of an openai-whisper checkpoint to the formats of the systems."""
