"""Usage of the device and the pools: sampled by beat, read by `duet status` and by /metrics."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from types import ModuleType
from typing import Any

from pydantic import BaseModel, ConfigDict

from pipeline.state.pool_status import pool_states
from pipeline.state.redis import connect, readable_errors

DEVICES, POOLS = "duet:telemetry:devices", "duet:telemetry:pools"
KEPT_S = 300
"""Seconds after which samples expire if beat has stopped."""


class DeviceSample(BaseModel):
    """One card's usage by NVML, that of other programs included."""

    model_config = ConfigDict(frozen=True)

    id: str
    """UUID in nvidia-smi's notation."""
    name: str
    at: float
    """Seconds since the epoch."""
    memory_used_bytes: int
    memory_total_bytes: int
    utilisation: float
    """Share of NVML's last sample period in which a kernel ran, 0 to 1."""


class PoolSample(BaseModel):
    """One pool's status, as its process reports it."""

    model_config = ConfigDict(frozen=True)

    pool: str
    status: str
    device: str = ""
    at: float
    busy_s: float = 0.0
    """Seconds at work since the process began, including the running leg."""
    busy_share: float = 0.0
    """Share of the time since the last sample that was spent at work, 0 to 1."""
    share_bytes: int = 0
    """Bytes that the memory plan allots to it."""
    peak_bytes: int = 0
    """Peak bytes of its tensors; on a CPU, of the process."""


class Telemetry(BaseModel):
    """The newest samples."""

    model_config = ConfigDict(frozen=True)

    devices: tuple[DeviceSample, ...] = ()
    pools: tuple[PoolSample, ...] = ()


def sample() -> Telemetry:
    """Sample this machine's cards and all pools, and store the samples in Redis."""
    before = {it.pool: it for it in read().pools}
    now = time.time()
    pools = tuple(_pool(name, state, now, before.get(name)) for name, state in pool_states().items())
    found = Telemetry(devices=tuple(_devices(now)), pools=pools)
    with readable_errors(), connect() as client, client.pipeline() as pipe:
        for key, samples in ((DEVICES, {it.id: it for it in found.devices}), (POOLS, {it.pool: it for it in pools})):
            for name, one in samples.items():
                pipe.hset(key, name, one.model_dump_json())
            pipe.expire(key, KEPT_S)
        pipe.execute()
    return found


def read() -> Telemetry:
    """Return the newest samples of every machine."""
    with readable_errors(), connect() as client, client.pipeline(transaction=False) as pipe:
        pipe.hvals(DEVICES)
        pipe.hvals(POOLS)
        devices, pools = pipe.execute()
    fresh = time.time() - KEPT_S
    return Telemetry(
        devices=tuple(it for it in map(DeviceSample.model_validate_json, devices) if it.at >= fresh),
        pools=tuple(it for it in map(PoolSample.model_validate_json, pools) if it.at >= fresh),
    )


def holders(device_id: str) -> list[tuple[int, int]]:
    """Return pid and bytes of each process with memory on a card; empty if NVML does not report them."""
    with _nvml() as nvml:
        if nvml is None or not device_id.startswith("GPU-"):
            return []
        card = nvml.nvmlDeviceGetHandleByUUID(device_id)
        return [(it.pid, it.usedGpuMemory or 0) for it in nvml.nvmlDeviceGetComputeRunningProcesses(card)]
    return []


def _pool(name: str, state: dict[str, str], now: float, last: PoolSample | None) -> PoolSample:
    busy_s = float(state.get("busy_s", 0.0)) + (now - float(state["busy_since"]) if "busy_since" in state else 0.0)
    # Less work than in the last sample means that the process was restarted.
    new_s = busy_s - last.busy_s if last and last.busy_s <= busy_s else busy_s
    since = last.at if last else float(state.get("began_at", now))
    return PoolSample(
        pool=name,
        status=state.get("status", ""),
        device=state.get("device_id", ""),
        at=now,
        busy_s=busy_s,
        busy_share=max(0.0, min(1.0, new_s / (now - since))) if now > since else 0.0,
        share_bytes=int(state.get("share_bytes", 0)),
        peak_bytes=int(state.get("peak_bytes", 0)),
    )


def _devices(now: float) -> Iterator[DeviceSample]:
    with _nvml() as nvml:
        for index in range(nvml.nvmlDeviceGetCount() if nvml else 0):
            card = nvml.nvmlDeviceGetHandleByIndex(index)  # type: ignore[union-attr]
            yield _device(nvml, card, now)


def _device(nvml: Any, card: Any, now: float) -> DeviceSample:
    memory = nvml.nvmlDeviceGetMemoryInfo(card)
    return DeviceSample(
        id=nvml.nvmlDeviceGetUUID(card),
        name=nvml.nvmlDeviceGetName(card),
        at=now,
        memory_used_bytes=memory.used,
        memory_total_bytes=memory.total,
        utilisation=nvml.nvmlDeviceGetUtilizationRates(card).gpu / 100,
    )


@contextmanager
def _nvml() -> Iterator[ModuleType | None]:
    """Yield NVML's module, or None without its package or driver."""
    try:
        import pynvml
    except ImportError:
        yield None
        return
    try:
        pynvml.nvmlInit()
    except pynvml.NVMLError:
        yield None
        return
    try:
        yield pynvml
    finally:
        pynvml.nvmlShutdown()
