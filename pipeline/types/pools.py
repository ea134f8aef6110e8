"""The worker pools: names, sizes and statuses."""

from pipeline.types.job import Leg

POOL_VARIABLE = "DUET_POOL"
"""Environment variable with the pool of a worker process."""
POOLS = {"whisper": 1, "voxtral": 1, "cpu": 2}
"""Number of processes of each pool; one for a model, so that it is loaded once."""
POOL_OF: dict[Leg, str] = {"whisper": "whisper", "voxtral": "voxtral", "speakers": "whisper"}
"""Leg -> the pool that runs it; the speakers' leg runs where the audio is, whenever no transcript waits."""

LOADING = "loading"
"""The status of a pool that is loading its model."""
UNAVAILABLE = "unavailable"
"""The status of a pool whose model could not be loaded for now; a later episode tries again."""
STATUSES = (LOADING, "ready", "idle", UNAVAILABLE, "failed")
