"""Duet over HTTP (`duet serve`): upload, wait, follow, read; needs the extra `serve`."""
