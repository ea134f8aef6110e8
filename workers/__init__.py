"""Engines and worker processes: Whisper, Voxtral, and the device that both share."""
