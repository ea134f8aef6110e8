"""Devices: the published cards, any number of bytes, and the one in this machine."""

import re
from dataclasses import dataclass
from math import inf
from pathlib import Path

import torch

from pipeline.errors import SettingsError
from workers import precision
from workers.device import GIB, ComputeDevice

_UNITS = {"": 1, "M": 10**6, "MB": 10**6, "MIB": 2**20, "G": 10**9, "GB": 10**9, "GIB": GIB}
_BYTES = re.compile(r"(\d+(?:\.\d+)?(?:e\d+)?)\s*([a-z]*)", re.IGNORECASE)
_PRECISIONS = {torch.float32: "fp32", torch.float16: "fp16", torch.bfloat16: "bf16"}


@dataclass(frozen=True)
class Card:
    """A device as the plan sees it."""

    name: str
    total_bytes: float
    """What torch reports as its total memory: the published figure less what the driver keeps."""
    voxtral_precision: str = "bf16"
    """`fp16` on a card that only emulates bfloat16, `fp32` on a CPU."""
    whisper_precision: str = "fp16"
    is_cuda: bool = True


CARDS = {
    "t4": Card("Tesla T4", 14.6 * GIB, voxtral_precision="fp16"),
    "l4": Card("L4", 22.0 * GIB),
    "a10g": Card("A10G", 22.1 * GIB),
    "a100": Card("A100 40 GB", 39.4 * GIB),
    "a100-80": Card("A100 80 GB", 79.2 * GIB),
    "h100": Card("H100 80 GB", 79.1 * GIB),
    "h200": Card("H200", 139.7 * GIB),
}
"""By the names of the command line."""


def named(text: str) -> Card:
    """Return the published card of that name, or one of so many bytes (`16e9`, `15GB`, `14.6GiB`).

    Raises:
        SettingsError: it is neither.
    """
    if card := CARDS.get(text.lower()):
        return card
    found = _BYTES.fullmatch(text.strip())
    if not found or found[2].upper() not in _UNITS:
        raise SettingsError(
            f"--gpu {text} is neither one of {', '.join(CARDS)} nor a number of bytes; say 16e9, 15GB or 14.6GiB."
        )
    size_bytes = float(found[1]) * _UNITS[found[2].upper()]
    return Card("this card", size_bytes)


def of(place: ComputeDevice) -> Card:
    """Return the device of a place."""
    if place.device.type == "cuda":
        properties = torch.cuda.get_device_properties(place.device)
        return Card(properties.name, properties.total_memory, _PRECISIONS[place.dtype])
    kind = precision.choose(place.device).name
    return Card("this machine's CPU", _machine_bytes("MemTotal"), "fp32", kind, is_cuda=False)


def free_bytes(place: ComputeDevice) -> float:
    """Return a device's free memory, as it is now; without an answer from the system, no end of it."""
    if place.device.type == "cuda":
        return float(torch.cuda.mem_get_info(place.device)[0])
    return _machine_bytes("MemAvailable")


def _machine_bytes(name: str) -> float:
    try:
        lines = Path("/proc/meminfo").read_text("ascii").splitlines()
    except OSError:
        return inf
    kib = {name: float(rest.split()[0]) for name, _, rest in (line.partition(":") for line in lines)}
    return kib.get(name, inf) * 1024
