"""Pool status: one hash for each worker, so that each machine reports only its own."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from pipeline.state.redis import connect, readable_errors
from pipeline.state.worker_registry import INDEX, is_lost, state_key, worker_key
from pipeline.types.pools import LOADING, POOLS, UNAVAILABLE

BEST_FIRST = ("ready", "idle", UNAVAILABLE, LOADING, "failed")
"""Order of statuses; a pool with several workers has its best worker's status, since one working worker is enough."""


@dataclass(frozen=True)
class WorkerState:
    """The status that one living worker reports; docs/device.md lists the fields."""

    worker: str
    """Id in the worker registry."""
    pool: str
    fields: dict[str, str]

    @property
    def node(self) -> str:
        """Celery's node name, `<pool>@<host>`."""
        return self.worker.rpartition(".")[0]

    @property
    def status(self) -> str:
        """One of `STATUSES`; `loading` until the worker reports."""
        return self.fields.get("status", LOADING)


def worker_states(url: str | None = None) -> list[WorkerState]:
    """Return the status of each registered worker with a recent heartbeat, sorted by name."""
    with readable_errors(), connect(url) as client:
        workers = sorted(client.smembers(INDEX))
        with client.pipeline(transaction=False) as pipe:
            for worker in workers:
                pipe.hmget(worker_key(worker), "missed", "pool")
                pipe.hgetall(state_key(worker))
            answers: list[Any] = pipe.execute()
    found = zip(workers, answers[::2], answers[1::2], strict=True)
    return [WorkerState(worker, pool or "", fields) for worker, (missed, pool), fields in found if not is_lost(missed)]


def best(states: Iterable[WorkerState]) -> WorkerState | None:
    """Return the worker with the best status, the newest of equals, or None if there are no workers."""
    return min(states, key=lambda it: (_rank(it.status), -float(it.fields.get("since", 0.0)), it.worker), default=None)


def pool_states(url: str | None = None) -> dict[str, dict[str, str]]:
    """Return the status of each pool's best worker."""
    states = [it for it in worker_states(url) if it.fields]
    by_pool = {pool: best(it for it in states if it.pool == pool) for pool in POOLS}
    return {pool: state.fields for pool, state in by_pool.items() if state}


def ready_pools(url: str | None = None) -> dict[str, dict[str, str]]:
    """Return the status of each pool that is no longer loading its model."""
    return {pool: state for pool, state in pool_states(url).items() if state.get("status") != LOADING}


def forget_ended(url: str) -> None:
    """Remove the status and load locks of workers, all of which are known to have ended.

    A worker that is killed while it loads a model does not release its lock, and the next one would wait for it.
    """
    with readable_errors(), connect(url) as client:
        keys = [state_key(worker) for worker in client.smembers(INDEX)]
        keys += client.scan_iter(loading_key("*"), count=1000)
        if keys:
            client.delete(*keys)


def loading_key(device_id: str) -> str:
    """Return the Redis key of the lock for loading a model onto a device."""
    return f"duet:device:{device_id}:loading"


def _rank(status: str) -> int:
    return BEST_FIRST.index(status) if status in BEST_FIRST else len(BEST_FIRST)
