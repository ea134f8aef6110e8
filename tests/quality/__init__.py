"""Quality of the real models on audio with references; nothing here runs in `make test` but its own unit tests."""
