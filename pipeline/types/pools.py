"""The worker pools: names, sizes and statuses."""

POOL_VARIABLE = "DUET_POOL"
"""Environment variable with the pool of a worker process."""
POOLS = {"whisper": 1, "voxtral": 1, "cpu": 2}
"""Number of processes of each pool; one for a model, so that it is loaded once."""

LOADING = "loading"
"""The status of a pool that is loading its model."""
UNAVAILABLE = "unavailable"
"""The status of a pool whose model could not be loaded for now; a later episode tries again."""
STATUSES = (LOADING, "ready", "idle", UNAVAILABLE, "failed")
