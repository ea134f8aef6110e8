"""`duet failed`: the jobs that ended failed or partial, by reason."""

import json
from datetime import datetime
from typing import TYPE_CHECKING, Annotated

import typer

from pipeline.cli import broker_session
from pipeline.cli.terminal import console

if TYPE_CHECKING:
    from rich.table import Table

    from pipeline.client.dead_letters import DeadLetter


def failed(
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object per line, one per job.")] = False,
) -> None:
    """List the jobs that ended failed or partial, by reason; `duet retry` runs the missing parts.

    The exit status is 1 if one of them failed, else 0.
    """
    from pipeline.client.dead_letters import by_reason, dead_letters, unique_starts
    from pipeline.state.job_store import JobStore
    from pipeline.types import JobState

    with broker_session.broker():
        job_store = JobStore()
        letters = list(dead_letters(job_store))
        starts = unique_starts([letter.id for letter in letters], job_store.jobs())
    if as_json:
        for letter in letters:
            print(json.dumps(letter.to_json()))
    elif letters:
        for reasons, its in by_reason(letters).items():
            for reason in reasons:
                console.print(reason, style="bold", highlight=False)
            console.print(_table(its, starts))
            console.print()
        console.print("To retry: `duet retry --failed`, or `duet retry JOB`.", highlight=False)
    else:
        console.print("Nothing failed, and nothing is missing.", highlight=False)
    raise typer.Exit(int(any(letter.record.state is JobState.FAILED for letter in letters)))


def _table(letters: "list[DeadLetter]", starts: dict[str, str]) -> "Table":
    from rich.table import Table

    from pipeline.cli import cells

    table = Table(box=None, show_header=False, pad_edge=False)
    for is_name in (False, True, False, False):
        table.add_column(no_wrap=not is_name)
    for letter in letters:
        ended_at = letter.record.ended_at
        ended = datetime.fromtimestamp(ended_at).strftime("%d %b %H:%M") if ended_at else ""
        status = cells.status(letter.record.status)
        table.add_row(f"  {starts[letter.id]}", cells.Name(letter.title), status, ended)
    return table
