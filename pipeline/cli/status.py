"""`duet status`: the state of batches and jobs."""

import json
from collections import Counter
from itertools import islice
from typing import TYPE_CHECKING, Annotated

import typer

from pipeline.cli.completion import batch_ids
from pipeline.cli.follow import ABANDONED
from pipeline.cli.terminal import console

if TYPE_CHECKING:
    from pipeline.client.batch import Batch
    from pipeline.state.job_store import JobStore

LISTED = 20
EXAMPLES = 10


def status(
    id: Annotated[
        str | None,
        typer.Argument(
            metavar="[ID]", help="Id of a batch, its start, or `last`; or id of a job.", autocompletion=batch_ids
        ),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object per line, one per batch.")] = False,
) -> None:
    """Show the newest batches, or one batch or job; the exit status is 1 if an episode of it failed."""
    from pipeline.client.batch import Batch
    from pipeline.state.batch_store import BatchStore
    from pipeline.state.job_store import JobStore

    job_store = JobStore()
    if id is None:
        _list([Batch(it, job_store) for it in reversed(BatchStore(job_store.redis).ids()[-LISTED:])], as_json=as_json)
        return
    if record := job_store.get(id):
        _print_job(record.model_dump(mode="json"), as_json=as_json)
        raise typer.Exit(int(record.state in ("failed", "cancelled")))
    batch = Batch(id, job_store)
    progress = batch.progress()
    if as_json:
        print(json.dumps(_as_json(batch)))
    else:
        _print_batch(batch, job_store)
    raise typer.Exit(int(progress.failed > 0))


def _list(batches: "list[Batch]", *, as_json: bool) -> None:
    from rich.table import Table

    from pipeline.types.text import safe_line

    if as_json:
        for batch in batches:
            print(json.dumps(_as_json(batch)))
        return
    if not batches:
        console.print("No batch has been submitted to this broker. Example: duet submit podcasts/ --to results")
        return
    table = Table(box=None, pad_edge=False)
    for name in ("batch", "episodes", "states", "from"):
        table.add_column(name, justify="right" if name == "episodes" else "left", overflow="fold")
    for batch in batches:
        progress = batch.progress()
        growing = "" if progress.is_submitted else " and more to come"
        table.add_row(batch.id, f"{progress.total}{growing}", _states(batch), safe_line(" ".join(batch.record.places)))
    console.print(table)


def _print_batch(batch: "Batch", job_store: "JobStore") -> None:
    from pipeline.storage import for_people

    progress, record = batch.progress(), batch.record
    growing = "" if progress.is_submitted else ", and more to come"
    before = f" ({progress.done_before} done already)" if progress.done_before else ""
    lines = [
        f"Batch {batch.id}: {progress.ended} of {progress.total} episodes have ended{growing}{before}.",
        f"  {_statuses(batch, job_store)}",
        f"  from {' '.join(record.places)}",
        f"  to   {for_people(record.destination)}",
    ]
    if skipped := len(batch.skipped):
        lines.append(f"  {skipped} file{'s' if skipped != 1 else ''} left out, such as {_example(batch)}")
    if record.abandoned_at:
        lines.append(f"  {ABANDONED}")
    for line in lines:
        console.print(line, markup=False, highlight=False, soft_wrap=True)
    failed = [f"{it.source}: {it.reason}" for it in islice(batch.rejected, EXAMPLES)]
    failed += [f"{job.spec.episode.source}: {reason}" for job, reason in islice(batch.failures(), EXAMPLES)]
    for line in failed[:EXAMPLES]:
        console.print(f"  ✗ {line}", style="red", markup=False, highlight=False, soft_wrap=True)
    if progress.failed > EXAMPLES:
        console.print(f"  ... and {progress.failed - EXAMPLES} more that failed", style="red")


def _example(batch: "Batch") -> str:
    first = batch.skipped[0]
    return f"{first.source}: {first.reason}"


def _print_job(record: dict[str, object], *, as_json: bool) -> None:
    if as_json:
        print(json.dumps(record))
        return
    from rich.pretty import pprint

    pprint(record, console=console, expand_all=True)


def _statuses(batch: "Batch", job_store: "JobStore") -> str:
    """Return the number of episodes of each status in words, which tells those at work from those that wait."""
    from pipeline.types.status import JobStatus

    records = job_store.get_many(entry.job for entry in batch.entries())
    counts = Counter(record.status if record else JobStatus.CANCELLED for record in records)
    counts[JobStatus.FAILED] += len(batch.rejected)
    return ", ".join(f"{counts[it]} {it.value}" for it in JobStatus if counts[it]) or "nothing"


def _states(batch: "Batch") -> str:
    return ", ".join(f"{count} {state.value}" for state, count in batch.progress().states.items()) or "nothing"


def _as_json(batch: "Batch") -> dict[str, object]:

    progress, record = batch.progress(), batch.record
    return {
        "batch": batch.id,
        "episodes": progress.total,
        "ended": progress.ended,
        "failed": progress.failed,
        "done_before": progress.done_before,
        "rejected": len(batch.rejected),
        "skipped": len(batch.skipped),
        "is_submitted": progress.is_submitted,
        "is_abandoned": record.abandoned_at is not None,
        "states": {state.value: count for state, count in progress.states.items()},
        "places": record.places,
        "destination": record.destination,
        "created_at": record.created_at,
    }
