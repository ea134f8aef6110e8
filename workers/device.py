"""The device that both pools share, and the numbers it computes with."""

from dataclasses import dataclass

import torch

from pipeline.errors import EngineError


@dataclass(frozen=True)
class Place:
    """A device and the type of numbers that it computes with."""

    device: torch.device
    dtype: torch.dtype


def has_cuda() -> bool:
    """Return whether torch can use a CUDA device."""
    return torch.cuda.is_available()


def choose(name: str) -> Place:
    """Return the place for a device's name: `auto`, `cpu`, `cuda` or `cuda:<index>`.

    bfloat16 where the card computes in it, float16 on older cards, float32 on a CPU.

    Raises:
        EngineError: the name is unknown, or that device is not there.
    """
    if name == "auto":
        name = "cuda" if has_cuda() else "cpu"
    try:
        device = torch.device(name)
    except RuntimeError:
        device = torch.device("meta")
    if device.type not in ("cpu", "cuda"):
        raise EngineError(f"DUET_DEVICE={name!r} is unknown; use auto, cpu, cuda or cuda:<index>.")
    if device.type == "cpu":
        return Place(device, torch.float32)
    if not has_cuda() or (device.index or 0) >= torch.cuda.device_count():
        count = torch.cuda.device_count() if has_cuda() else 0
        raise EngineError(
            f"DUET_DEVICE={name} is not there: torch sees {count} CUDA devices; use auto, or one of those."
        )
    device = torch.device("cuda", device.index or 0)
    with torch.cuda.device(device):
        # A T4 emulates bfloat16, many times slower than its own float16.
        native = torch.cuda.is_bf16_supported(including_emulation=False)
    return Place(device, torch.bfloat16 if native else torch.float16)
