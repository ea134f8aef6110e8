"""Devices of a memory plan: published cards, cards of any size, and the device of this machine."""

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
_GROUP = Path("/sys/fs/cgroup")
_PRECISIONS = {torch.float32: "fp32", torch.float16: "fp16", torch.bfloat16: "bf16"}


@dataclass(frozen=True)
class Card:
    """A device of a memory plan."""

    name: str
    total_bytes: float
    """Total memory reported by torch: the published figure less the driver's memory."""
    voxtral_precision: str = "bf16"
    """Precision of Voxtral: `fp16` on a card that only emulates bfloat16, `fp32` on a CPU without it."""
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
"""Published cards by their names on the command line."""


def named(text: str) -> Card:
    """Return the published card of a name, or a card of a size in bytes (`16e9`, `15GB`, `14.6GiB`).

    Raises:
        SettingsError: the text is neither.
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
    """Return the card of a compute device."""
    if place.device.type == "cuda":
        properties = torch.cuda.get_device_properties(place.device)
        return Card(properties.name, properties.total_memory, _PRECISIONS[place.dtype])
    kind = precision.choose(place.device).name
    return Card("this machine's CPU", _total_bytes(), _PRECISIONS[place.dtype], kind, is_cuda=False)


def free_bytes(place: ComputeDevice) -> float:
    """Return a device's current free memory; infinity if the system does not report it."""
    if place.device.type == "cuda":
        return float(torch.cuda.mem_get_info(place.device)[0])
    used = _group_bytes("memory.current", 0.0) - _cached_bytes()
    return min(_machine_bytes("MemAvailable"), _group_bytes("memory.max") - used)


def _total_bytes() -> float:
    return min(_machine_bytes("MemTotal"), _group_bytes("memory.max"))


def _group_bytes(name: str, unknown: float = inf) -> float:
    """Return a figure of this process's control group, such as a container's limit.

    https://docs.kernel.org/admin-guide/cgroup-v2.html#memory-interface-files
    """
    try:
        text = (_GROUP / name).read_text("ascii").strip()
    except OSError:  # not Linux, the older version of control groups, or the group that has no limits
        return unknown
    return unknown if text == "max" else float(text)


def _cached_bytes() -> float:
    """Return the part of the control group's memory that only caches files; reading 9 GB of weights fills it."""
    try:
        lines = (_GROUP / "memory.stat").read_text("ascii").splitlines()
    except OSError:
        return 0.0
    sizes = {name: float(size) for name, _, size in (line.partition(" ") for line in lines)}
    return sizes.get("inactive_file", 0.0) + sizes.get("active_file", 0.0)


def _machine_bytes(name: str) -> float:
    try:
        lines = Path("/proc/meminfo").read_text("ascii").splitlines()
    except OSError:
        return inf
    kib = {name: float(rest.split()[0]) for name, _, rest in (line.partition(":") for line in lines)}
    return kib.get(name, inf) * 1024
