"""`duet plan`: what each pool gets of a device's memory, or what fits instead."""

import json
from typing import Annotated, Literal

import typer

from pipeline.cli.terminal import FAILED, console
from pipeline.cli.worker_imports import worker_packages


def plan(
    gpu: Annotated[
        str | None,
        typer.Option(metavar="CARD|BYTES", help="t4, l4, a10g, a100, a100-80, h100, h200, or 16e9, 24GiB; else here."),
    ] = None,
    whisper: Annotated[str | None, typer.Option(metavar="NAME", help="A name or a checkpoint's path.")] = None,
    voxtral: Annotated[
        str | None, typer.Option(metavar="mini|small|FOLDER|off", help="The slow leg's model, or off.")
    ] = None,
    quantize: Annotated[
        Literal["int8", "nf4", "off"] | None, typer.Option(help="Voxtral's weights in fewer bits.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object, sizes in bytes.")] = False,
) -> None:
    """Show what Whisper and Voxtral each get of a device's memory, and how much they do at once.

    Whatever is not said is as the settings have it on this machine. Exit status 1 when it does not fit.
    """
    from pipeline.settings import settings

    with worker_packages("plan"):
        from workers.memory import report
        from workers.memory.request import plan_request
    request = plan_request(settings(), gpu, whisper, voxtral, quantize)
    made = request.plan()
    instead = [] if made.fits else request.instead()
    if as_json:
        print(json.dumps(report.to_json(made, instead)))
    else:
        console.print(report.table(made, instead))
    raise typer.Exit(0 if made.fits else FAILED)
