"""The worker registry: living workers and their unacknowledged messages, so that none is lost with a worker.

Every worker keeps the messages that it has taken and not finished in a hash of its own. It says that it is
there every few seconds; the sweeper counts its looks since. A worker that was silent for `MISSED_HEARTBEATS` of
them is lost. Looks are counted, not seconds: while the broker is away nobody looks, so nobody is given up.
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
"""Tells a worker's child processes which worker they belong to."""
INDEX = "duet:workers"
MISSED_HEARTBEATS = 5
SILENT_HEARTBEATS = 2
"""A worker that says that it is there misses one at times: what it says comes after the look. Until it has missed
two, its word counts for more than that no process of its number is here."""
REMEMBERED_S = 24 * 3600
"""How long it is known of a worker that is gone whether it was told to stop, and at most what it said of itself."""
NAMESPACE = Path("/proc/self/ns/pid")
BOOT_ID = Path("/proc/sys/kernel/random/boot_id")

# KEYS: index, worker, then fields and values. A worker that says that it is there has missed nothing.
_HEARTBEAT = """
redis.call('SADD', KEYS[1], ARGV[1])
redis.call('HSET', KEYS[2], 'missed', 0, unpack(ARGV, 2))
redis.call('PERSIST', KEYS[2])
"""
# KEYS: guard, index. ARGV: milliseconds between two looks. However many look, a look counts once.
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
    """Machine and process namespace, within which `pid` is meant."""
    pid: int
    pool: str = ""

    @classmethod
    def here(cls, node: str) -> Self:
        """Return a new worker with Celery's node name in this process."""
        return cls(f"{node}.{uuid.uuid4().hex[:8]}", _place(), os.getpid(), os.environ.get(POOL_VARIABLE, ""))

    @property
    def node(self) -> str:
        """Celery's name for it."""
        return self.id.rpartition(".")[0]

    @property
    def is_known_dead(self) -> bool:
        """Whether its process is gone; False also where that cannot be known from here."""
        return self.place == _place() and not is_running(self.pid)

    @property
    def transport_options(self) -> dict[str, str]:
        """The options by which kombu stores this worker's unacknowledged messages apart from those of others."""
        taken = unacked_key(self.id)
        return {
            "unacked_key": taken,
            "unacked_index_key": f"{taken}:index",
            "unacked_mutex_key": f"{taken}:mutex",
        }


class WorkerRegistry:
    """The list of workers in Redis."""

    def __init__(self, client: "redis.Redis") -> None:
        self.redis: Any = client
        self._heartbeat = client.register_script(_HEARTBEAT)
        self._tick = client.register_script(_TICK)

    def heartbeat(self, worker: Worker, *, stopping: bool = False) -> None:
        """Note that a worker is there, and whether its legs are to hand over what they do."""
        own: list[str | int] = ["place", worker.place, "pid", worker.pid, "pool", worker.pool]
        self._heartbeat([INDEX, worker_key(worker.id)], [worker.id, *own, "stopping", int(stopping)])
        self.redis.expire(state_key(worker.id), REMEMBERED_S)

    def pools(self) -> set[str]:
        """Return the pools of which a worker was heard lately."""
        workers = list(self.redis.smembers(INDEX))
        with self.redis.pipeline(transaction=False) as pipe:
            for worker in workers:
                pipe.hget(worker_key(worker), "missed")
            heard = [not is_lost(missed) for missed in pipe.execute()]
        return {worker.partition("@")[0] for worker, is_heard in zip(workers, heard, strict=True) if is_heard}

    def tick(self) -> None:
        """Count one look for every worker that has not said since the last one that it is there."""
        self._tick([f"{INDEX}:looked", INDEX], [int(settings().sweep_interval_s * 800)])

    def all(self) -> list[Worker]:
        """Return the workers on the list."""
        found = {it: self.redis.hgetall(worker_key(it)) for it in self.redis.smembers(INDEX)}
        return [
            Worker(it, fields.get("place", ""), int(fields.get("pid", 0)), fields.get("pool", ""))
            for it, fields in found.items()
        ]

    def lost(self) -> list[Worker]:
        """Return the workers that are no more."""
        return [it for it in self.all() if self._is_gone(it, self.redis.hget(worker_key(it.id), "missed"))]

    def _is_gone(self, worker: Worker, missed: str | None) -> bool:
        return is_lost(missed) or (worker.is_known_dead and int(missed or 0) >= SILENT_HEARTBEATS)

    def release_dead(self, worker: Worker) -> int:
        """Remove the leases of a worker's processes that have ended; only that worker can know.

        Args:
            worker: the worker of this process.
        """
        key = leases_key(worker.id)
        dead = [lease for lease in self.redis.smembers(key) if not is_running(pid_of(lease))]
        return int(self.redis.srem(key, *dead)) if dead else 0

    def deregister(self, worker: Worker) -> None:
        """Deregister a worker without unacknowledged messages; one with some stays until they are requeued.

        What it said of itself is kept for a while: one that was only slow says once more that it is there, and not all.
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
        """Return the keys of all messages that workers have taken."""
        return [unacked_key(worker_id) for worker_id in self.redis.smembers(INDEX)]


def is_lost(missed: str | None) -> bool:
    """Whether a worker that missed so many looks, or is not on the list, is given up."""
    return missed is None or int(missed) >= MISSED_HEARTBEATS


def is_running(pid: int) -> bool:
    """Whether a process of this machine is there."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def worker_key(worker_id: str) -> str:
    """Return the Redis key of what is known of a worker."""
    return f"duet:worker:{worker_id}"


def state_key(worker_id: str) -> str:
    """Return the Redis key of what a worker's processes say of themselves."""
    return f"duet:worker:{worker_id}:state"


def leases_key(worker_id: str) -> str:
    """Return the Redis key of the leases that a worker's living processes hold."""
    return f"duet:leases:{worker_id}"


def pid_of(lease: str) -> int:
    """Return the process that holds a lease, `<worker> <pid> <run>`."""
    return int(lease.split(" ")[1])


def unacked_key(worker_id: str) -> str:
    """Return the Redis key of the messages that a worker has taken."""
    return f"duet:taken:{worker_id}"


def _place() -> str:
    """Return an id of this machine, or of the container on it, whose processes are numbered from one.

    Machines may share their name, and the first namespace has the same number on each; what the kernel drew when it
    started they do not share.
    """
    namespace = NAMESPACE.readlink().name if NAMESPACE.is_symlink() else ""
    boot_id = BOOT_ID.read_text("ascii").strip() if BOOT_ID.is_file() else ""
    return f"{socket.gethostname()} {platform.system()} {namespace} {boot_id}"
