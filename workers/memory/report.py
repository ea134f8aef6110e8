"""Reports of a memory plan: a table for the user, and JSON."""

from dataclasses import asdict
from typing import Any

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from workers.device import GIB
from workers.memory.alternatives import shortage
from workers.memory.plan import CONTEXT_BYTES, MemoryAllocation, Plan

WINDOW_S = 30.0
"""Seconds of Whisper's longest input."""


def table(made: Plan, instead: list[str]) -> RenderableType:
    """Return the table of a plan, with the alternatives below it if it does not fit."""
    grid = Table(box=None, pad_edge=False)
    grid.add_column("pool")
    grid.add_column("model", no_wrap=True)
    grid.add_column("precision", no_wrap=True)
    for name in ("weights", "work", "context", "share"):
        grid.add_column(name, justify="right", no_wrap=True)
    grid.add_column("at once", no_wrap=True)
    grid.add_row("whisper", *_cells(made.whisper), _at_once(made.whisper.batch, WINDOW_S))
    if made.voxtral:
        grid.add_row("voxtral", *_cells(made.voxtral), _at_once(made.voxtral.rows, made.voxtral.section_s))
    else:
        grid.add_row("voxtral", "not on this device", style="dim")
    if made.fits:
        grid.add_row("left", "", "", "", "", "", _gib(made.left_bytes), "")
    head = Text(f"{made.card.name}, {_gib(made.card.total_bytes)} GiB; all sizes in GiB\n", style="bold")
    return Group(head, grid, *([] if made.fits else _short(made, instead)))


def to_json(made: Plan, instead: list[str]) -> dict[str, Any]:
    """Return the plan as a JSON object; sizes in bytes."""
    return {
        "device": made.card.name,
        "total_bytes": int(made.card.total_bytes),
        "fits": made.fits,
        "left_bytes": int(made.left_bytes),
        "whisper": _fields(made.whisper),
        "voxtral": _fields(made.voxtral),
        "instead": instead,
    }


def _short(made: Plan, instead: list[str]) -> list[RenderableType]:
    lines: list[RenderableType] = [Text(f"\nIt does not fit: {shortage(made)}", style="red")]
    if instead:
        return [*lines, Text("What does:"), *(Text(f"  {settings}") for settings in instead)]
    return [*lines, Text("Nothing smaller does either; use a larger device.")]


def _cells(share: MemoryAllocation) -> list[str]:
    sizes = (share.weights_bytes, share.work_bytes, CONTEXT_BYTES, share.bytes)
    return [share.model, share.precision, *map(_gib, sizes)]


def _at_once(count: int, each_s: float) -> str:
    return f"{count} × {each_s:.0f} s"


def _fields(share: MemoryAllocation | None) -> dict[str, Any] | None:
    return asdict(share) | {"allocated_bytes": share.allocated_bytes, "bytes": share.bytes} if share else None


def _gib(size_bytes: float) -> str:
    return f"{size_bytes / GIB:.1f}"
