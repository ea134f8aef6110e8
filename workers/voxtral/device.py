"""The device Voxtral runs on, the numbers it computes with, and whether it fits."""

from dataclasses import dataclass
from math import inf
from pathlib import Path

import torch

from pipeline.errors import EngineError

GIB = 2**30
AUDIO_BYTES_PER_S = 137 * 2**20 / 60
"""Device memory for each second of audio in flight: cache, prefill and encoder, in 16-bit numbers."""
RESERVE_BYTES = GIB
"""For the CUDA context, the libraries' workspaces and fragmentation."""
MOST_ROWS = 8
ROWS_ON_CPU = 2


class NoRoomError(EngineError):
    """The model or its audio does not fit the device."""


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


def needed_bytes(place: Place, parameters: int, section_s: float) -> int:
    """Return the device memory for the weights and one section of `section_s` seconds of audio."""
    size_bytes = place.dtype.itemsize
    return int(parameters * size_bytes + section_s * AUDIO_BYTES_PER_S * size_bytes / 2) + RESERVE_BYTES


def rows_at_once(place: Place, section_s: float) -> int:
    """Return how many sections fit the device side by side, once the model is loaded.

    More than eight gain little: decoding is then no longer bound by reading the weights.
    """
    if place.device.type != "cuda":
        return ROWS_ON_CPU
    free_bytes, _ = torch.cuda.mem_get_info(place.device)
    each = section_s * AUDIO_BYTES_PER_S * place.dtype.itemsize / 2
    return max(1, min(MOST_ROWS, int((free_bytes - RESERVE_BYTES) / each)))


def shortage(place: Place, parameters: int, section_s: float) -> str:
    """Return why the model and a section do not fit the memory free now and what to do, or "" if they do."""
    needed = needed_bytes(place, parameters, section_s)
    free_bytes: float
    total_bytes: float
    if place.device.type == "cuda":
        free_bytes, total_bytes = torch.cuda.mem_get_info(place.device)
        where, remedy = (
            torch.cuda.get_device_name(place.device),
            "end what else uses the card, or use a larger one",
        )
    else:
        free_bytes, total_bytes = _machine_memory_bytes()
        where, remedy = "this machine", "end what else runs, or use a larger machine"
    if needed <= free_bytes:
        return ""
    return (
        f"Voxtral with sections of {section_s:.0f} s needs {needed / GIB:.1f} GiB and {where} has "
        f"{free_bytes / GIB:.1f} of {total_bytes / GIB:.1f} GiB free; lower DUET_VOXTRAL_SECTION_S, {remedy}."
    )


def _machine_memory_bytes() -> tuple[float, float]:
    """Return what Linux says is available and in all; without an answer, as if there were no end of it."""
    try:
        lines = Path("/proc/meminfo").read_text("ascii").splitlines()
    except OSError:
        return inf, inf
    kib = {name: float(rest.split()[0]) for name, _, rest in (line.partition(":") for line in lines)}
    return kib.get("MemAvailable", inf) * 1024, kib.get("MemTotal", inf) * 1024
