"""The right to run a leg: one process has it at a time, for as long as that process and its worker live."""

import os
import uuid
from typing import Any

from pipeline.messaging.app import VISIBILITY_MARGIN_S
from pipeline.settings import settings
from pipeline.state.worker_registry import WORKER_VARIABLE, is_lost, is_running, leases_key, pid_of, worker_key

# KEYS: lease, those of our worker. ARGV: what is there now ('' for nothing), what to write, seconds until it is litter.
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
    """The lease of one leg of one attempt; it lasts as long as the process that holds it.

    A message may come twice: by the visibility timeout, from a worker that was given up too early, from a
    sweeper. Who holds the lease runs the leg; who does not waits.

    Its worker's parent process vouches for it: that one sees its child end, whatever the child is busy with, and
    strikes the lease off its worker's list (`workers/runtime/heartbeat.py`). A worker that is lost vouches for nothing.
    """

    def __init__(self, client: Any, task_id: str) -> None:
        self._redis = client
        self._key = f"duet:lease:{task_id}"
        self._worker = os.environ.get(WORKER_VARIABLE, "")
        self._token = f"{self._worker} {os.getpid()} {uuid.uuid4().hex}"
        self._swap = client.register_script(_SWAP)
        self._release = client.register_script(_RELEASE)
        self.was_left_behind = False
        """Whether the last holder ended without giving it back, and nobody had told it to."""

    def acquire(self) -> bool:
        """Acquire the lease; False when a living process holds it."""
        holder = self._redis.get(self._key) or ""
        if holder and self._is_at_work(holder):
            return False
        self.was_left_behind = bool(holder) and not self._was_told_to_stop(holder.partition(" ")[0])
        return self._take(holder)

    def is_held(self) -> bool:
        """Whether the lease is still ours; one that was lost with the broker's memory is acquired again."""
        return self._take(self._token) or self._take("")

    def must_hand_over(self) -> bool:
        """Whether our worker is stopping."""
        return self._was_told_to_stop(self._worker)

    def release(self) -> None:
        """Give it back."""
        self._release([self._key, leases_key(self._worker)], [self._token])

    def _was_told_to_stop(self, worker: str) -> bool:
        return bool(self._redis.hget(worker_key(worker), "stopping") == "1")

    def _take(self, holder: str) -> bool:
        litter_after_s = settings().leg_time_limit_s + VISIBILITY_MARGIN_S
        return bool(self._swap([self._key, leases_key(self._worker)], [holder, self._token, litter_after_s]))

    def _is_at_work(self, holder: str) -> bool:
        worker = holder.partition(" ")[0]
        if worker == self._worker:
            return pid_of(holder) != os.getpid() and is_running(pid_of(holder))
        with self._redis.pipeline() as pipe:
            pipe.hget(worker_key(worker), "missed")
            pipe.sismember(leases_key(worker), holder)
            missed, is_vouched_for = pipe.execute()
        return bool(is_vouched_for) and not is_lost(missed)
