"""`duet plan`: the share of each pool in a device's memory, or alternatives that fit."""

import json
from typing import Annotated, Literal

import typer

from pipeline.cli.terminal import FAILED, console
from pipeline.cli.worker_imports import worker_packages


def plan(
    gpu: Annotated[
        str | None,
        typer.Option(metavar="CARD|BYTES", help="t4, l4, a10g, a100, a100-80, h100, h200, 16e9, 24GiB; else detected."),
    ] = None,
    whisper: Annotated[str | None, typer.Option(metavar="NAME", help="Name, or path of a checkpoint.")] = None,
    voxtral: Annotated[
        str | None, typer.Option(metavar="mini|small|FOLDER|off", help="Model of Voxtral, or off.")
    ] = None,
    quantize: Annotated[
        Literal["int8", "nf4", "off"] | None, typer.Option(help="Quantization of Voxtral's weights.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object with sizes in bytes.")] = False,
) -> None:
    """Show the shares of Whisper and Voxtral in a device's memory, and their batch limits.

    Options left out use this machine's settings. The exit status is 1 if the models do not fit.
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
