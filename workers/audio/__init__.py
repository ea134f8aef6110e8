"""Audio decoding: any audio or video file as 16 kHz mono float32, decoded in a separate process."""
