"""`duet watch`: a batch as it goes."""

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
            metavar="[ID]", help="A batch, by its id or the start of it; else the newest.", autocompletion=batch_ids
        ),
    ] = "last",
    as_json: Annotated[
        bool, typer.Option("--json", help="One JSON object a line: what ended, what is left out.")
    ] = False,
) -> None:
    """Show a batch until all its episodes have ended; exit status 1 where one failed.

    Ctrl-C ends the showing, not the work.
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
        code = follow(watch, _looks(watch), lambda: f"batch {batch.id}", since, as_json=as_json)
    raise typer.Exit(code)


def _looks(watch: "BatchProgress") -> "Iterator[list[EpisodeRow]]":
    while True:
        yield watch.refresh()
        if watch.is_over:
            return
        time.sleep(TICK_S)
