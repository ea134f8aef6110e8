"""The HTTP server (`duet serve`) for uploads, jobs, events and results; needs the extra `serve`."""
