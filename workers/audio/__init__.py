"""Audio: any audio or video file as 16 kHz mono float32, decoded in a process of its own."""
