"""The worker pools: names, sizes and statuses."""

POOL_VARIABLE = "DUET_POOL"
"""Tells a worker process which pool it is of."""
POOLS = {"whisper": 1, "voxtral": 1, "cpu": 2}
"""Each pool and its number of processes: one for each model, so that it is loaded once."""

LOADING = "loading"
"""The status of a pool whose model is not there yet."""
UNAVAILABLE = "unavailable"
"""The status of a pool whose model could not be had just now, and is asked for again at a later episode."""
STATUSES = (LOADING, "ready", "idle", UNAVAILABLE, "failed")
