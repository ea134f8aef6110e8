"""`duet doctor`: checks of this machine and its services, with the next step for each problem."""

import json
import socket
from collections import Counter
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated

import typer
from rich.table import Table

from pipeline.cli.cells import counted
from pipeline.cli.terminal import FAILED, console, exit_usage
from pipeline.cli.worker_imports import worker_packages
from pipeline.errors import StackError

if TYPE_CHECKING:
    from pipeline.monitoring.doctor import Check, Probe

VOXTRAL_POOL, VOXTRAL_WEIGHTS = "pool-voxtral", "voxtral-weights"
"""A pool without Voxtral, and the check that shows what to do about it on a machine that could have it."""
STYLES = {"ok": "green", "warning": "yellow", "failed": "red"}


def doctor(
    only: Annotated[list[str] | None, typer.Option(metavar="CHECK", help="Only this check; may be repeated.")] = None,
    storage: Annotated[str | None, typer.Option(metavar="URI", help="Destination to write to and read from.")] = None,
    here: Annotated[
        bool, typer.Option("--here", help="Check only this machine's workers and beat, as a health check.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object per line, one per check.")] = False,
) -> None:
    """Check this machine, its broker, storage, device, models and pools; show the next step for each problem.

    The exit status is 1 if a check fails; warnings do not count.
    """
    from pipeline.monitoring.doctor import examine

    probes = _select_probes(only or [], storage, socket.gethostname() if here else None)
    told: set[str] = set()
    counts: Counter[str] = Counter()
    for check in examine(probes):
        counts[check.status.value] += 1
        if as_json:
            print(json.dumps(asdict(check)), flush=True)
            continue
        is_told_below = check.name == VOXTRAL_POOL and any(probe.name == VOXTRAL_WEIGHTS for probe in probes)
        console.print(_line(check, with_step=check.next_step not in told and not is_told_below))
        told.add(check.next_step)
    if not as_json and len(probes) > 1:
        console.print(f"\n{counted(counts['warning'], 'warning')}, {counts['failed']} failed.", highlight=False)
    raise typer.Exit(FAILED if counts["failed"] else 0)


def _select_probes(only: list[str], storage: str | None, host: str | None) -> "list[Probe]":
    from pipeline.monitoring.doctor.client import probes

    found = {probe.name: probe for probe in probes(storage, host)}
    if not only or set(only) - set(found):  # importing torch takes seconds, which a health check avoids
        found |= {probe.name: probe for probe in _worker_probes()}
    if unknown := [name for name in only if name not in found]:
        exit_usage(f"--only {unknown[0]} is no check of this machine; there are {', '.join(found)}.")
    return [found[name] for name in only or found]


def _worker_probes() -> "list[Probe]":
    from pipeline.monitoring.doctor import Check, Probe, Status

    try:
        with worker_packages("doctor"):
            from workers.doctor import probes
    except StackError as error:
        missing = Check("worker", Status.WARNING, "this machine can send jobs, not do them", str(error))
        return [Probe("worker", lambda: missing)]
    return probes()


def _line(check: "Check", *, with_step: bool) -> Table:
    row = Table.grid(padding=(0, 1))
    row.add_column(width=7, style=STYLES[check.status])
    row.add_column(width=15)
    row.add_column(overflow="fold")
    row.add_row(check.status.value, check.name, check.found)
    if check.next_step and with_step:
        row.add_row("", "", f"→ {check.next_step}", style="bold")
    return row
