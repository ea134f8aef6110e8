"""`duet failed`: the jobs that ended failed or partial, with their reasons."""

import json
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.table import Table
from rich.text import Text

from pipeline.cli import broker_session
from pipeline.cli.terminal import console

if TYPE_CHECKING:
    from pipeline.client.dead_letters import DeadLetter


def failed(
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object per line, one per job.")] = False,
) -> None:
    """List the jobs that ended failed or partial, with their reasons; `duet retry` runs the missing parts.

    The exit status is 1 if one of them failed, else 0.
    """
    from pipeline.client.dead_letters import dead_letters
    from pipeline.state.job_store import JobStore
    from pipeline.types import JobState

    with broker_session.broker():
        letters = list(dead_letters(JobStore()))
    if as_json:
        for letter in letters:
            print(json.dumps(letter.to_json()))
    elif letters:
        console.print(_table(letters))
        console.print("What can be mended: duet retry --failed, or duet retry JOB.", highlight=False)
    else:
        console.print("Nothing failed, and nothing is missing.", highlight=False)
    raise typer.Exit(int(any(letter.record.state is JobState.FAILED for letter in letters)))


def _table(letters: "list[DeadLetter]") -> Table:
    table = Table(box=None, header_style="bold", pad_edge=False)
    table.add_column("job", no_wrap=True)
    table.add_column("episode", overflow="fold", max_width=32)
    table.add_column("state", no_wrap=True)
    table.add_column("ended", no_wrap=True)
    table.add_column("missing", no_wrap=True)
    table.add_column("reason", overflow="fold", ratio=1)
    for letter in letters:
        record = letter.record
        ended = datetime.fromtimestamp(record.ended_at).strftime("%d %b %H:%M") if record.ended_at else ""
        colour = "red" if record.state.value == "failed" else "yellow"
        table.add_row(
            letter.id,
            Path(record.spec.episode.source).name,
            Text(record.state.value, style=colour),
            ended,
            ", ".join(letter.missing) or "nothing",
            record.reason,
        )
    return table
