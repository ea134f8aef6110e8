"""`duet cancel`: ends a batch or a job."""

import json
from typing import Annotated

import typer

from pipeline.cli.completion import batch_ids
from pipeline.cli.terminal import console


def cancel(
    id: Annotated[
        str,
        typer.Argument(
            metavar="ID", help="A batch, by its id, the start of it, or `last`; or a job.", autocompletion=batch_ids
        ),
    ],
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object.")] = False,
) -> None:
    """End what has not ended, whether it waits or is at work; results that are there stay."""
    from pipeline.client.batch import Batch
    from pipeline.client.job import Job
    from pipeline.state.job_store import JobStore

    job_store = JobStore()
    if record := job_store.get(id):
        count = int(Job(record.spec, job_store).cancel())
    else:
        batch = Batch(id, job_store)
        id, count = batch.id, batch.cancel()
    if as_json:
        print(json.dumps({"id": id, "cancelled": count}))
    elif count:
        of = "episode" if count == 1 else "episodes"
        console.print(f"Cancelled {count} {of} of {id}; submitted again, they go on where they were.", highlight=False)
    else:
        console.print(f"Nothing of {id} is left to be cancelled.", highlight=False)
