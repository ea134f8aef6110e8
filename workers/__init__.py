"""Engines and worker processes: Whisper, Voxtral and the shared device."""
