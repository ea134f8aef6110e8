"""Priority of the fast leg on the device that both pools share.

While the fast leg computes, the slow leg waits between its steps, for at most `PATIENCE` times the duration of its
last step. It thus makes progress all the same, and uses at most a sixth of the device.
"""

import logging
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any
from uuid import uuid4

import redis
import torch

from pipeline.errors import BrokerError
from pipeline.state.redis import connect
from workers.device import identity
from workers.pool_reporter import pool_reporter

logger = logging.getLogger(__name__)
PATIENCE = 5.0
BUSY_S = 60.0
"""Seconds after which a fast leg without a sign of life is considered dead."""
_RENEWAL_S = 20.0
POLL_S = 0.005


def device_priority(device: torch.device) -> "DevicePriority | NoDevicePriority":
    """Return the priority of this process on a device; NoDevicePriority outside of a pool."""
    return DevicePriority(identity(device)) if pool_reporter().pool else NoDevicePriority()


class DevicePriority:
    """The priority on one device, shared by its processes through a sorted set in Redis.

    Each process of the fast leg has a member while it computes, whose score is the time at which it counts as dead. A
    broker outage blocks no process.
    """

    def __init__(self, device_id: str, client: Any = None) -> None:
        self._key = f"duet:device:{device_id}:fast_legs"
        self._member = uuid4().hex
        self._redis: Any = client or connect()
        self._last_step_s = time.monotonic()
        self._is_broker_down = False
        self._at_work = 0
        self._counting = threading.Lock()

    @contextmanager
    def hold(self) -> Iterator[None]:
        """Signal that the fast leg uses the device, for as long as it does; re-entrant across threads."""
        over = threading.Event()
        renewal = threading.Thread(target=self._renew, args=(over,), name="device-priority", daemon=True)
        with self._counting:
            self._at_work += 1
            self._signal()
        renewal.start()
        try:
            yield
        finally:
            over.set()
            renewal.join()
            with self._counting:
                self._at_work -= 1
                if not self._at_work:
                    self._try(lambda: self._redis.zrem(self._key, self._member))

    def yield_to_fast_leg(self) -> None:
        """Wait while the fast leg uses the device; must be called before each step."""
        began_s = time.monotonic()
        most_s = PATIENCE * (began_s - self._last_step_s)
        while time.monotonic() - began_s < most_s and self._try(
            lambda: self._redis.zcount(self._key, time.time(), "+inf")
        ):
            time.sleep(POLL_S)
        self._last_step_s = time.monotonic()

    def _renew(self, over: threading.Event) -> None:
        while not over.wait(_RENEWAL_S):
            self._signal()

    def _signal(self) -> None:
        def send() -> None:
            with self._redis.pipeline() as pipe:
                pipe.zadd(self._key, {self._member: time.time() + BUSY_S})
                pipe.expire(self._key, round(BUSY_S))
                pipe.execute()

        self._try(send)

    def _try(self, ask: Callable[[], Any]) -> Any:
        try:
            answer = ask()
        except (BrokerError, redis.RedisError) as error:
            if not self._is_broker_down:  # logged once, not at every token
                logger.warning("%s The device is shared without priorities meanwhile.", error)
            self._is_broker_down = True
            return None
        self._is_broker_down = False
        return answer


class NoDevicePriority:
    """The priority of a process with exclusive use of the device."""

    @contextmanager
    def hold(self) -> Iterator[None]:
        """Do nothing."""
        yield

    def yield_to_fast_leg(self) -> None:
        """Return at once."""
