"""The compute device that both pools share, and its dtype."""

import socket
from dataclasses import dataclass

import torch

from pipeline.errors import EngineError

GIB = 2**30


@dataclass(frozen=True)
class ComputeDevice:
    """A device and the dtype of computations on it."""

    device: torch.device
    dtype: torch.dtype


def has_cuda() -> bool:
    """Return whether torch can use a CUDA device."""
    return torch.cuda.is_available()


def cpu_has_bfloat16() -> bool:
    """Return whether the CPU multiplies bfloat16 numbers itself: avx512_bf16 or AMX."""
    return bool(torch.cpu._is_avx512_bf16_supported() or torch.cpu._is_amx_tile_supported())


def uses_cuda() -> bool:
    """Return whether this process has initialized CUDA, without initializing it."""
    return bool(torch.cuda.is_initialized())  # type: ignore[no-untyped-call]


def described(device: torch.device) -> str:
    """Return the display name of a device: `cpu`, or `cuda:0 (NVIDIA L4)`."""
    if device.type != "cuda":
        return device.type
    return f"cuda:{device.index or 0} ({torch.cuda.get_device_name(device)})"


def identity(device: torch.device) -> str:
    """Return the globally unique name of a device: a card's UUID in the notation of nvidia-smi, or `cpu-<hostname>`."""
    if device.type != "cuda":
        return f"cpu-{socket.gethostname()}"
    return _uuid(device.index or 0)


def choose(name: str) -> ComputeDevice:
    """Return the device of a name: `auto`, `cpu`, `cuda`, `cuda:<index>` or a card's UUID.

    The dtype is bfloat16 on cards and CPUs with native support, float16 on older cards and float32 on older CPUs.

    Raises:
        EngineError: the name is unknown, or the device is absent.
    """
    if name == "auto":
        name = "cuda" if has_cuda() else "cpu"
    if name.startswith("GPU-"):
        name = _by_uuid(name)
    try:
        device = torch.device(name)
    except RuntimeError:
        device = torch.device("meta")
    if device.type not in ("cpu", "cuda"):
        raise EngineError(f"DUET_DEVICE={name!r} is unknown; use auto, cpu, cuda, cuda:<index> or GPU-<uuid>.")
    if device.type == "cpu":
        return ComputeDevice(device, torch.bfloat16 if cpu_has_bfloat16() else torch.float32)
    if not has_cuda() or (device.index or 0) >= torch.cuda.device_count():
        count = torch.cuda.device_count() if has_cuda() else 0
        raise EngineError(
            f"DUET_DEVICE={name} is not there: torch sees {count} CUDA devices; use auto, or one of those."
        )
    device = torch.device("cuda", device.index or 0)
    with torch.cuda.device(device):
        # A T4 emulates bfloat16, many times slower than its own float16.
        native = torch.cuda.is_bf16_supported(including_emulation=False)
    return ComputeDevice(device, torch.bfloat16 if native else torch.float16)


def _by_uuid(uuid: str) -> str:
    count = torch.cuda.device_count() if has_cuda() else 0
    found = [index for index in range(count) if _uuid(index).startswith(uuid)]
    if len(found) != 1:
        known = ", ".join(map(_uuid, range(count))) or "no CUDA device"
        raise EngineError(f"DUET_DEVICE={uuid} names {len(found)} devices; torch sees {known}.")
    return f"cuda:{found[0]}"


def _uuid(index: int) -> str:
    return f"GPU-{torch.cuda.get_device_properties(index).uuid}"
