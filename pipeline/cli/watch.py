"""`duet watch`: the live progress of a batch."""

import time
from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated

import typer

from pipeline.cli.completion import batch_ids
from pipeline.cli.follow import follow
from pipeline.cli.terminal import INTERRUPTED, TICK_S, interruptible

if TYPE_CHECKING:
    from pipeline.client.batch_progress import BatchProgress
    from pipeline.client.episode_row import EpisodeRow


def watch(
    id: Annotated[
        str,
        typer.Argument(
            metavar="[ID]", help="Id of a batch, or its start; the newest batch by default.", autocompletion=batch_ids
        ),
    ] = "last",
    as_json: Annotated[
        bool, typer.Option("--json", help="Print one JSON object per line, one per ended episode or file left out.")
    ] = False,
) -> None:
    """Show a batch until all its episodes have ended; the exit status is 1 if one failed.

    Ctrl-C ends the view, not the work.
    """
    from pipeline.client.batch import Batch
    from pipeline.client.batch_progress import BatchProgress
    from pipeline.state.job_store import JobStore

    job_store = JobStore()
    batch = Batch(id, job_store)
    watch = BatchProgress(batch.id, job_store)
    farewell = f"The work goes on; `duet watch {batch.id}` shows it again, `duet cancel {batch.id}` ends it."
    with interruptible(farewell, INTERRUPTED):
        since = batch.record.created_at
        code = follow(watch, _refresh_until_over(watch), lambda: f"batch {batch.id}", since, as_json=as_json)
    raise typer.Exit(code)


def _refresh_until_over(watch: "BatchProgress") -> "Iterator[list[EpisodeRow]]":
    while True:
        yield watch.refresh()
        if watch.is_over:
            return
        time.sleep(TICK_S)
