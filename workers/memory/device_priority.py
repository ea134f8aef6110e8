"""Priority of the fast leg on the device that both pools share.

While the fast leg computes, the slow one waits between its steps, but never more than `PATIENCE` times as
long as its last step took: so it gets on all the same, and takes at most a sixth of the device.
"""

import logging
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import redis
import torch

from pipeline.errors import BrokerError
from pipeline.state.redis import connect
from workers.device import identity
from workers.pool_reporter import pool_reporter

logger = logging.getLogger(__name__)
PATIENCE = 5.0
BUSY_MS = 60_000
"""A fast leg that says nothing for so long is taken for dead."""
POLL_S = 0.005


def device_priority(device: torch.device) -> "DevicePriority | NoDevicePriority":
    """Return the turns on a device for this process: none for one that is of no pool."""
    return DevicePriority(identity(device)) if pool_reporter().pool else NoDevicePriority()


class DevicePriority:
    """The turns on one device, as the processes of one machine or many see them: a key in Redis.

    A broker that is away keeps nobody from work.
    """

    def __init__(self, device_id: str, client: Any = None) -> None:
        self._key = f"duet:device:{device_id}:fast"
        self._redis: Any = client or connect()
        self._stepped_s = time.monotonic()
        self._is_away = False
        self._at_work = 0
        self._counting = threading.Lock()

    @contextmanager
    def hold(self) -> Iterator[None]:
        """Signal that the fast leg uses the device; re-entrant across threads."""
        with self._counting:
            self._at_work += 1
            self._try(lambda: self._redis.set(self._key, 1, px=BUSY_MS))
        try:
            yield
        finally:
            with self._counting:
                self._at_work -= 1
                if not self._at_work:
                    self._try(lambda: self._redis.delete(self._key))

    def yield_to_fast_leg(self) -> None:
        """Wait while somebody goes first; to be called before each step."""
        began_s = time.monotonic()
        most_s = PATIENCE * (began_s - self._stepped_s)
        while time.monotonic() - began_s < most_s and self._try(lambda: self._redis.exists(self._key)):
            time.sleep(POLL_S)
        self._stepped_s = time.monotonic()

    def _try(self, ask: Callable[[], Any]) -> Any:
        try:
            answer = ask()
        except (BrokerError, redis.RedisError) as error:
            if not self._is_away:  # once, not at every token
                logger.warning("%s The device is shared without turns meanwhile.", error)
            self._is_away = True
            return None
        self._is_away = False
        return answer


class NoDevicePriority:
    """Of a process that has the device to itself."""

    @contextmanager
    def hold(self) -> Iterator[None]:
        """Go first."""
        yield

    def yield_to_fast_leg(self) -> None:
        """Wait for nobody."""
