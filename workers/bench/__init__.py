"""Benchmark of the modes of Duet on this machine, run by `duet bench`."""
