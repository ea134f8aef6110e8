"""Model weights on this machine: their sources and their verification."""
