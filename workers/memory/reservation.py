"""Device reservation of a process: exclusive while a model loads, checked before, and limited afterwards."""

import logging
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from resource import RUSAGE_SELF, getrusage
from typing import Any

import redis
import torch

from pipeline.errors import BrokerError
from pipeline.state.pool_status import loading_key
from pipeline.state.redis import connect
from pipeline.state.telemetry import holders
from pipeline.types.pools import LOADING
from workers.device import GIB, ComputeDevice, described, identity, uses_cuda
from workers.memory import cards, heap
from workers.memory.plan import MemoryAllocation
from workers.memory.request import NoRoomError
from workers.pool_reporter import pool_reporter

logger = logging.getLogger(__name__)
TICK_S = 0.5
ROOM_WAIT_S = 15.0
"""Seconds to wait for memory; a driver may take a moment to release the memory of a killed process."""
TURN_S = 20
"""Seconds after which a loading process without a sign of life is considered dead."""
_PAGE_BYTES = 4096
_STATM = Path("/proc/self/statm")


@contextmanager
def reserve_device(place: ComputeDevice, share: MemoryAllocation) -> Iterator[None]:
    """Reserve the device while a model is loaded, and limit this process to its allocation from then on.

    Two processes that load at once would each count the other's memory as foreign. The progress of loading is
    published twice a second.

    Raises:
        NoRoomError: other processes use the memory; the message has the figures.
    """
    pool_reporter().update(
        status=LOADING,
        percent=0,
        device=described(place.device),
        device_id=identity(place.device),
        share_bytes=share.bytes,
        limit_bytes=share.allocated_bytes,
        precision=share.precision,
        **share.at_once(),
    )
    with _loading_lock(identity(place.device)) as lock:
        _wait_for_room(place, share)
        limit(place, share)
        over = threading.Event()
        watcher = threading.Thread(target=_watch, args=(place, share, lock, over), name="loading", daemon=True)
        watcher.start()
        try:
            yield
        finally:
            over.set()
            watcher.join()


def check_room(place: ComputeDevice, share: MemoryAllocation) -> None:
    """Raise NoRoomError if less memory is free than the tensors of the allocation need."""
    free_bytes, card = cards.free_bytes(place), cards.of(place)
    if free_bytes >= share.allocated_bytes:
        return
    others = "".join(f", process {pid} has {size / GIB:.1f}" for pid, size in holders(identity(place.device)))
    raise NoRoomError(
        f"{share.model} is to have {share.allocated_bytes / GIB:.1f} GiB of {card.name}, and {free_bytes / GIB:.1f} of "
        f"its {card.total_bytes / GIB:.1f} GiB are free{others}; end what else uses it, or choose a smaller model "
        "(`duet plan`)."
    )


def _wait_for_room(place: ComputeDevice, share: MemoryAllocation) -> None:
    """Check the free memory; in a pool, whose last process may just have ended, wait a moment for its release."""
    deadline = time.monotonic() + (ROOM_WAIT_S if pool_reporter().pool else 0.0)
    while True:
        try:
            return check_room(place, share)
        except NoRoomError:
            if time.monotonic() >= deadline:
                raise
        time.sleep(TICK_S)


def limit(place: ComputeDevice, share: MemoryAllocation) -> None:
    """Limit this process to its allocation in torch; a CPU has no such limit."""
    if place.device.type == "cuda":
        total_bytes = cards.of(place).total_bytes
        torch.cuda.set_device(place.device)
        torch.cuda.set_per_process_memory_fraction(min(1.0, share.allocated_bytes / total_bytes), place.device)


def peak_bytes() -> int:
    """Return the peak memory of this process: on its GPU, or its resident memory if it uses none."""
    if uses_cuda():
        return torch.cuda.max_memory_reserved()
    return getrusage(RUSAGE_SELF).ru_maxrss * 1024


def release_cached_memory() -> None:
    """Release cached memory to the device and to the system, for other processes."""
    if uses_cuda():
        torch.cuda.empty_cache()
    heap.release_free_pages()


@contextmanager
def _loading_lock(device_id: str) -> Iterator[Any]:
    """Wait until no other process loads a model onto the device; yield the lock, or None without a broker."""
    if not pool_reporter().pool:
        yield None
        return
    lock = None
    try:
        lock = connect(patient=True).lock(loading_key(device_id), timeout=TURN_S, thread_local=False)
        lock.acquire()
    except (BrokerError, redis.RedisError) as error:
        logger.warning("%s Loading without waiting for other processes.", error)
    try:
        yield lock
    finally:
        if lock is not None:
            try:
                lock.release()
            except redis.RedisError as error:
                logger.warning("The loading lock expired before loading had ended (%s).", error)


def _watch(place: ComputeDevice, share: MemoryAllocation, lock: Any, over: threading.Event) -> None:
    before = held_bytes(place)
    while not over.wait(TICK_S):
        percent = min(99, max(0, round(100 * (held_bytes(place) - before) / max(1, share.weights_bytes))))
        pool_reporter().update(percent=percent)
        if lock is not None:
            try:
                lock.reacquire()
            except redis.RedisError as error:
                logger.warning("The loading lock could not be renewed (%s).", error)


def held_bytes(place: ComputeDevice) -> int:
    """Return the memory that this process uses on a device now; 0 if the system does not report it."""
    if place.device.type == "cuda":
        return torch.cuda.memory_allocated(place.device)
    return int(_STATM.read_text("ascii").split()[1]) * _PAGE_BYTES if _STATM.exists() else 0
