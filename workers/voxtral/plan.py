"""The memory plan: how long sections may be, how many fit side by side, and whether anything fits at all."""

from dataclasses import dataclass
from math import inf
from pathlib import Path

import torch

from pipeline.errors import EngineError
from workers.device import Place
from workers.voxtral.sections import CHUNK_S

GIB = 2**30
AUDIO_BYTES_PER_S = 137 * 2**20 / 60
"""Device memory for each second of audio in flight: cache, prefill and encoder, in 16-bit numbers."""
RESERVE_BYTES = GIB
"""For the CUDA context, the libraries' workspaces and fragmentation."""
MOST_ROWS = 8
ROWS_ON_CPU = 2
USUAL_S = 600.0
LONGEST_S = 1500.0
"""25 minutes are 18,750 audio tokens, which leaves a transcription its room in the context of 32,768."""
_ROWS_OF_LONGEST = 2


class NoRoomError(EngineError):
    """The model or its audio does not fit the device."""


@dataclass(frozen=True)
class Memory:
    """A device's memory, in bytes; without an answer from the system, as if there were no end of it."""

    name: str
    free_bytes: float
    total_bytes: float


def memory(place: Place) -> Memory:
    """Return the memory of a device, as it is now."""
    if place.device.type == "cuda":
        return Memory(torch.cuda.get_device_name(place.device), *torch.cuda.mem_get_info(place.device))
    return Memory("this machine", *_machine_memory_bytes())


def needed_bytes(place: Place, weights_bytes: int, section_s: float) -> int:
    """Return the device memory for the weights and one section of `section_s` seconds of audio."""
    return int(weights_bytes + section_s * _audio_bytes_per_s(place.dtype)) + RESERVE_BYTES


def section_s(place: Place, free_bytes: float, weights_bytes: int) -> float:
    """Return how many seconds of audio are best heard at once, with so much memory free before loading.

    25 minutes where two such sections fit beside the weights, as on cards of 24 GB and more; otherwise
    10 minutes, or as many whole chunks of 30 s as fit. A CPU gets 10 minutes: there the time is what is short.
    """
    if place.device.type != "cuda":
        return USUAL_S
    room_s = (free_bytes - weights_bytes - RESERVE_BYTES) / _audio_bytes_per_s(place.dtype)
    if room_s >= _ROWS_OF_LONGEST * LONGEST_S:
        return LONGEST_S
    return max(CHUNK_S, min(USUAL_S, room_s // CHUNK_S * CHUNK_S))


def rows_at_once(place: Place, section_s: float) -> int:
    """Return how many sections fit the device side by side, once the model is loaded.

    More than eight gain little: decoding is then no longer bound by reading the weights.
    """
    if place.device.type != "cuda":
        return ROWS_ON_CPU
    each = section_s * _audio_bytes_per_s(place.dtype)
    return max(1, min(MOST_ROWS, int((memory(place).free_bytes - RESERVE_BYTES) / each)))


def shortage(place: Place, has: Memory, weights_bytes: int, section_s: float) -> str:
    """Return why the model and a section do not fit the memory free now and what to do, or "" if they do."""
    needed = needed_bytes(place, weights_bytes, section_s)
    if needed <= has.free_bytes:
        return ""
    if place.device.type == "cuda":
        remedy = "set DUET_VOXTRAL_QUANTIZE=nf4, end what else uses the card, or use a larger one"
    else:
        remedy = "end what else runs, or use a larger machine"
    return (
        f"Voxtral with sections of {section_s:.0f} s needs {needed / GIB:.1f} GiB and {has.name} has "
        f"{has.free_bytes / GIB:.1f} of {has.total_bytes / GIB:.1f} GiB free; lower DUET_VOXTRAL_SECTION_S, {remedy}."
    )


def _audio_bytes_per_s(dtype: torch.dtype) -> float:
    return AUDIO_BYTES_PER_S * dtype.itemsize / 2


def _machine_memory_bytes() -> tuple[float, float]:
    try:
        lines = Path("/proc/meminfo").read_text("ascii").splitlines()
    except OSError:
        return inf, inf
    kib = {name: float(rest.split()[0]) for name, _, rest in (line.partition(":") for line in lines)}
    return kib.get("MemAvailable", inf) * 1024, kib.get("MemTotal", inf) * 1024
