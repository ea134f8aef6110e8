"""`duet bench`: a benchmark of the speed and cost of each processing path on this machine."""

import json
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.table import Table

from pipeline.cli.terminal import INTERRUPTED, console, exit_usage, interruptible, messages
from pipeline.cli.worker_imports import worker_packages


def bench(
    audio: Annotated[Path, typer.Argument(metavar="AUDIO", help="An episode; a longer one gives better results.")],
    _: Annotated[bool, typer.Option("--paths", hidden=True, help="Needed by earlier versions.")] = False,
    price_per_hour: Annotated[
        float | None, typer.Option(min=0, help="Price of an hour of this machine; DUET_GPU_COST_PER_HOUR by default.")
    ] = None,
    rounds: Annotated[int, typer.Option(min=1, help="Measurements of each path; the medians are shown.")] = 3,
    voxtral: Annotated[
        str | None,
        typer.Option(metavar="MODEL", help="Voxtral model to use, even without a GPU: a folder or a hub id."),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Measure this machine on an audio file: Whisper alone, Voxtral alone, one after the other, both at once.

    Stop other work on the device first, `duet up` included. The loading of models is not timed.
    """
    if not audio.is_file():
        exit_usage(f"There is no file {audio}; give an audio file.")
    from pipeline.embedded.stack import Stack
    from pipeline.settings import settings

    with worker_packages("bench"):
        from workers.bench.paths import compare

    price = settings().gpu_cost_per_hour if price_per_hour is None else price_per_hour
    chosen = {"DUET_VOXTRAL_MODEL": voxtral, "DUET_VOXTRAL": "on"} if voxtral else {}
    with interruptible("Interrupted.", INTERRUPTED), Stack("run") as stack:
        variables = chosen | {"DUET_BROKER_URL": stack.url}
        found = compare(audio.absolute(), rounds, price, variables, lambda text: messages.print(text, style="dim"))
    if as_json:
        print(json.dumps(asdict(found)))
    else:
        show(found)


def show(found: Any) -> None:
    """Print a comparison as a table, with its notes."""
    grid = Table(box=None, pad_edge=False)
    for title in ("path", "seconds", "real-time factor", "times real time", "first text s", "cost per audio hour"):
        grid.add_column(title, justify="left" if title == "path" else "right")
    for way in found.ways:
        cost = "" if way.cost_per_audio_hour is None else f"{way.cost_per_audio_hour:.4f}"
        figures = (way.work_s, way.real_time_factor, 1 / way.real_time_factor, way.first_text_s)
        grid.add_row(way.name, *(f"{it:.{places}f}" for it, places in zip(figures, (2, 4, 1, 2), strict=True)), cost)
    console.print(f"{found.audio_s:.0f} s of audio; {_leg_summary(found.whisper)}")
    if reason := found.voxtral.get("skipped"):
        console.print(f"Skipped: voxtral-only, one-after-the-other, hybrid. {reason}", style="yellow", markup=False)
    else:
        console.print(_leg_summary(found.voxtral))
    console.print(grid)
    if not any(way.cost_per_audio_hour is not None for way in found.ways):
        console.print("Add --price-per-hour to see the cost per hour of audio.")


def _leg_summary(leg: dict[str, Any]) -> str:
    return f"{leg['model']} on {leg['device']}"
