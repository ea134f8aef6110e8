"""`duet cancel`: cancellation of a batch or a job."""

import json
from typing import Annotated

import typer

from pipeline.cli.completion import batch_ids
from pipeline.cli.terminal import console


def cancel(
    id: Annotated[
        str,
        typer.Argument(
            metavar="ID", help="Id of a batch, its start, or `last`; or id of a job.", autocompletion=batch_ids
        ),
    ],
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Cancel the waiting and running jobs of a batch, or one job; existing results stay."""
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
        console.print(f"Cancelled {count} {of} of {id}; submit them again to resume.", highlight=False)
    else:
        console.print(f"{id} has already finished.", highlight=False)
