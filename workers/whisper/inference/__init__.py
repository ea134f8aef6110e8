"""Whisper's network over openai-whisper's weights: log-mel, encoder, decoder, caches, matrix products."""
