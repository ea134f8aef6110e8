"""Whisper's network on openai-whisper's weights: log-mel, encoder, decoder, KV cache, matrix products."""
