"""Leases: the exclusive right of one process to run a leg, or to write to a folder, while it lives."""

import os
import uuid
from typing import Any

from pipeline.settings import settings
from pipeline.state.worker_registry import WORKER_VARIABLE, is_lost, is_running, leases_key, pid_of, worker_key

VISIBILITY_MARGIN_S = 3600
"""Seconds beyond the time limit of a leg until its message is delivered again, and until its lease is litter."""
VISIT_S = 300
"""Seconds after which the lease of a process without a worker ends."""

# KEYS: lease, our worker's leases. ARGV: expected token ('' for none), new token, seconds until both keys expire.
_SWAP = """
if (redis.call('GET', KEYS[1]) or '') ~= ARGV[1] then return 0 end
redis.call('SET', KEYS[1], ARGV[2], 'EX', ARGV[3])
redis.call('SADD', KEYS[2], ARGV[2])
redis.call('EXPIRE', KEYS[2], ARGV[3])
return 1
"""
_RELEASE = """
redis.call('SREM', KEYS[2], ARGV[1])
if redis.call('GET', KEYS[1]) == ARGV[1] then redis.call('DEL', KEYS[1]) end
"""


class Lease:
    """The lease of one leg of one attempt; it lasts as long as its owner process.

    A message may be delivered twice: after the visibility timeout, after a worker was declared lost too early, or by
    the sweeper. Only the owner of the lease runs the leg; other processes requeue the message.

    The worker's parent process notices the end of its child, even a busy one, and removes the child's lease from the
    worker's list (`workers/runtime/heartbeat.py`). A lease is valid while it is on the list of a worker that lives.
    """

    def __init__(self, client: Any, task_id: str) -> None:
        self._redis = client
        self._key = f"duet:lease:{task_id}"
        self._worker = self._owner()
        self._token = f"{self._worker} {os.getpid()} {uuid.uuid4().hex}"
        self._swap = client.register_script(_SWAP)
        self._release = client.register_script(_RELEASE)
        self.was_left_behind = False
        """Whether the last owner ended without releasing it, although its worker was not stopping."""

    def acquire(self) -> bool:
        """Acquire the lease; return False if a living process owns it."""
        holder = self._redis.get(self._key) or ""
        if holder and self._is_at_work(holder):
            return False
        self.was_left_behind = bool(holder) and not self._is_stopping(holder.partition(" ")[0])
        return self._replace_owner(holder)

    def is_held(self) -> bool:
        """Whether this process still owns the lease; acquires it again if the broker has lost its data."""
        return self._replace_owner(self._token) or self._replace_owner("")

    def must_hand_over(self) -> bool:
        """Whether this process's worker is stopping."""
        return self._is_stopping(self._worker)

    def release(self) -> None:
        """Release the lease."""
        self._release([self._key, leases_key(self._worker)], [self._token])

    def _owner(self) -> str:
        """Return the id of the worker whose heartbeats say that this process lives."""
        return os.environ.get(WORKER_VARIABLE, "")

    def _is_stopping(self, worker: str) -> bool:
        return bool(self._redis.hget(worker_key(worker), "stopping") == "1")

    def _replace_owner(self, holder: str) -> bool:
        litter_after_s = settings().leg_time_limit_s + VISIBILITY_MARGIN_S
        return bool(self._swap([self._key, leases_key(self._worker)], [holder, self._token, litter_after_s]))

    def _is_at_work(self, holder: str) -> bool:
        worker = holder.partition(" ")[0]
        if worker == self._worker:
            return pid_of(holder) != os.getpid() and is_running(pid_of(holder))
        with self._redis.pipeline() as pipe:
            pipe.hget(worker_key(worker), "missed")
            pipe.sismember(leases_key(worker), holder)
            missed, is_listed = pipe.execute()
        return bool(is_listed) and not is_lost(missed)


class VisitorLease(Lease):
    """The lease of a process that is no worker, such as a command; without heartbeats, it ends after `VISIT_S`."""

    def acquire(self) -> bool:
        """Acquire the lease; return False if a living process owns it."""
        self._stay()
        return super().acquire()

    def is_held(self) -> bool:
        """Whether this process still owns the lease; it then has `VISIT_S` again."""
        self._stay()
        return super().is_held()

    def release(self) -> None:
        """Release the lease."""
        super().release()
        self._redis.delete(worker_key(self._worker))

    def _stay(self) -> None:
        self._redis.hset(worker_key(self._worker), "missed", 0)
        self._redis.expire(worker_key(self._worker), VISIT_S)

    def _owner(self) -> str:
        return f"visitor.{uuid.uuid4().hex}"
