"""The worker registry: living workers and their unacknowledged messages, so that none is lost with a worker.

Every worker has a hash of its own for its unacknowledged messages and sends a heartbeat every few seconds. The
sweeper counts the liveness checks since the last heartbeat; after `MISSED_HEARTBEATS` of them the worker is lost.
Checks are counted instead of seconds because none is made in a broker outage, so no worker is lost in one.
"""

import os
import platform
import socket
import uuid
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from pipeline.settings import settings
from pipeline.types.pools import POOL_VARIABLE

if TYPE_CHECKING:
    import redis

WORKER_VARIABLE = "DUET_WORKER_ID"
"""Environment variable with a worker's id, for its child processes."""
INDEX = "duet:workers"
MISSED_HEARTBEATS = 5
SILENT_HEARTBEATS = 2
"""Number of missed liveness checks below which a worker counts as alive even if no process here has its pid. A living
worker misses one at times, when its heartbeat arrives after the check."""
REMEMBERED_S = 24 * 3600
"""Seconds for which a lost worker's record stays (with its `stopping` flag), and at most its reported status."""
NAMESPACE = Path("/proc/self/ns/pid")
BOOT_ID = Path("/proc/sys/kernel/random/boot_id")

# KEYS: index, worker. ARGV: worker id, then fields and values. A heartbeat resets the number of missed checks.
_HEARTBEAT = """
redis.call('SADD', KEYS[1], ARGV[1])
redis.call('HSET', KEYS[2], 'missed', 0, unpack(ARGV, 2))
redis.call('PERSIST', KEYS[2])
"""
# KEYS: guard, index. ARGV: milliseconds between two checks. With several sweepers, a check still counts once.
_TICK = """
if not redis.call('SET', KEYS[1], 1, 'NX', 'PX', ARGV[1]) then return 0 end
for _, id in ipairs(redis.call('SMEMBERS', KEYS[2])) do
  redis.call('HINCRBY', 'duet:worker:' .. id, 'missed', 1)
end
return 1
"""


@dataclass(frozen=True)
class Worker:
    """One start of one worker."""

    id: str
    place: str
    """Machine and process namespace of `pid`."""
    pid: int
    pool: str = ""

    @classmethod
    def here(cls, node: str) -> Self:
        """Return a new worker of this process with the given Celery node name."""
        return cls(f"{node}.{uuid.uuid4().hex[:8]}", _place(), os.getpid(), os.environ.get(POOL_VARIABLE, ""))

    @property
    def node(self) -> str:
        """Celery's node name."""
        return self.id.rpartition(".")[0]

    @property
    def is_known_dead(self) -> bool:
        """Whether its process has ended; False if that cannot be determined from this machine."""
        return self.place == _place() and not is_running(self.pid)

    @property
    def transport_options(self) -> dict[str, str]:
        """The kombu options that store this worker's unacknowledged messages apart from those of others."""
        key = unacked_key(self.id)
        return {
            "unacked_key": key,
            "unacked_index_key": f"{key}:index",
            "unacked_mutex_key": f"{key}:mutex",
        }


class WorkerRegistry:
    """Reads and writes the worker registry."""

    def __init__(self, client: "redis.Redis") -> None:
        self.redis: Any = client
        self._heartbeat = client.register_script(_HEARTBEAT)
        self._tick = client.register_script(_TICK)

    def heartbeat(self, worker: Worker, *, stopping: bool = False) -> None:
        """Record a worker's heartbeat, and whether it is stopping, so that its legs save their work and requeue."""
        own: list[str | int] = ["place", worker.place, "pid", worker.pid, "pool", worker.pool]
        self._heartbeat([INDEX, worker_key(worker.id)], [worker.id, *own, "stopping", int(stopping)])
        self.redis.expire(state_key(worker.id), REMEMBERED_S)

    def pools(self) -> set[str]:
        """Return the pools that have a worker with a recent heartbeat."""
        workers = list(self.redis.smembers(INDEX))
        with self.redis.pipeline(transaction=False) as pipe:
            for worker in workers:
                pipe.hget(worker_key(worker), "missed")
            alive = [not is_lost(missed) for missed in pipe.execute()]
        return {worker.partition("@")[0] for worker, is_alive in zip(workers, alive, strict=True) if is_alive}

    def tick(self) -> None:
        """Add a missed liveness check to every worker; a heartbeat resets the number."""
        self._tick([f"{INDEX}:looked", INDEX], [int(settings().sweep_interval_s * 800)])

    def all(self) -> list[Worker]:
        """Return the registered workers."""
        found = {it: self.redis.hgetall(worker_key(it)) for it in self.redis.smembers(INDEX)}
        return [
            Worker(it, fields.get("place", ""), int(fields.get("pid", 0)), fields.get("pool", ""))
            for it, fields in found.items()
        ]

    def lost(self) -> list[Worker]:
        """Return the registered workers that are lost."""
        return [it for it in self.all() if self._is_gone(it, self.redis.hget(worker_key(it.id), "missed"))]

    def _is_gone(self, worker: Worker, missed: str | None) -> bool:
        return is_lost(missed) or (worker.is_known_dead and int(missed or 0) >= SILENT_HEARTBEATS)

    def release_dead(self, worker: Worker) -> int:
        """Remove the leases of a worker's processes that have ended, and return their number.

        Args:
            worker: the worker of this process; only it can check its child processes.
        """
        key = leases_key(worker.id)
        dead = [lease for lease in self.redis.smembers(key) if not is_running(pid_of(lease))]
        return int(self.redis.srem(key, *dead)) if dead else 0

    def deregister(self, worker: Worker) -> None:
        """Deregister a worker without unacknowledged messages; one with some stays until they are requeued.

        Its record expires later: if the worker was only slow, its next heartbeat does not restore every field.
        """
        if not self.redis.exists(unacked_key(worker.id)):
            key = worker_key(worker.id)
            with self.redis.pipeline() as pipe:
                pipe.srem(INDEX, worker.id)
                pipe.hset(key, "missed", MISSED_HEARTBEATS)
                pipe.expire(key, REMEMBERED_S)
                pipe.delete(leases_key(worker.id))
                pipe.execute()

    def unacked_keys(self) -> list[str]:
        """Return the keys of the unacknowledged messages of all workers."""
        return [unacked_key(worker_id) for worker_id in self.redis.smembers(INDEX)]


def is_lost(missed: str | None) -> bool:
    """Return whether a worker is lost: it missed too many liveness checks or is not registered."""
    return missed is None or int(missed) >= MISSED_HEARTBEATS


def is_running(pid: int) -> bool:
    """Return whether this machine has a process with that pid."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def worker_key(worker_id: str) -> str:
    """Return the Redis key of a worker's record."""
    return f"duet:worker:{worker_id}"


def state_key(worker_id: str) -> str:
    """Return the Redis key of the status that a worker's processes report."""
    return f"duet:worker:{worker_id}:state"


def leases_key(worker_id: str) -> str:
    """Return the Redis key of the leases of a worker's processes."""
    return f"duet:leases:{worker_id}"


def pid_of(lease: str) -> int:
    """Return the pid in a lease, `<worker> <pid> <run>`."""
    return int(lease.split(" ")[1])


def unacked_key(worker_id: str) -> str:
    """Return the Redis key of a worker's unacknowledged messages."""
    return f"duet:taken:{worker_id}"


def _place() -> str:
    """Return an id of this machine's, or this container's, process namespace.

    Machines may share their host name, and their first namespaces have the same number; the kernel's boot id is unique.
    """
    namespace = NAMESPACE.readlink().name if NAMESPACE.is_symlink() else ""
    boot_id = BOOT_ID.read_text("ascii").strip() if BOOT_ID.is_file() else ""
    return f"{socket.gethostname()} {platform.system()} {namespace} {boot_id}"
