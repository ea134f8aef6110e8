"""Workers of pools as the broker shows them, without their processes."""

from pipeline.state.redis import connect
from pipeline.state.worker_registry import Worker, WorkerRegistry, state_key


def join(pool: str, machine: str = "here", number: int = 0, **fields: object) -> Worker:
    """Put a worker on the list and have it say something of itself; again, to have it say more."""
    worker = Worker(f"{pool}@{machine}.{number:08x}", "another machine", 4711, pool)
    with connect() as client:
        WorkerRegistry(client).heartbeat(worker)
        if fields:
            client.hset(state_key(worker.id), mapping={name: str(value) for name, value in fields.items()})
    return worker
