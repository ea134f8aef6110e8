"""`duet submit`: the submission of a batch to running workers."""

import json
import shlex
import time
from typing import TYPE_CHECKING, Annotated

import typer

from pipeline.cli import batch_arguments
from pipeline.cli.job_options import with_job_options
from pipeline.cli.terminal import INTERRUPTED, TICK_S, console, interruptible, messages, print_error

if TYPE_CHECKING:
    from pipeline.client.batch_submission import BatchSubmission
    from pipeline.types import Options
    from pipeline.types.submitted import Submitted


@with_job_options
def submit(
    places: batch_arguments.Places,
    to: batch_arguments.To,
    options: "Options",
    force: batch_arguments.Force = False,
    on_transcribed: batch_arguments.OnTranscribed = None,
    on_completed: batch_arguments.OnCompleted = None,
    in_flight: Annotated[
        int | None,
        typer.Option("--in-flight", min=1, help="Episodes queued or running at once; runs until all are submitted."),
    ] = None,
    priority: Annotated[
        int | None, typer.Option(min=0, max=9, help="0 is served first; by default short episodes precede long ones.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Submit every episode at the given places, and return; `duet watch` shows their progress.

    Needs a broker with workers: `duet up` in another window, or DUET_BROKER_URL.
    """
    from pipeline.client.batch_submission import BatchSubmission
    from pipeline.client.submitter import Submitter
    from pipeline.state.batch_store import BatchStore
    from pipeline.state.webhook_subscriptions import Webhooks
    from pipeline.storage import as_uri, open_storage

    hooks = Webhooks(on_transcribed, on_completed)
    submitter = Submitter(to, options, force=force, priority=priority, webhooks=hooks)
    found = batch_arguments.found_at(places)
    open_storage(as_uri(to)).check_writable()
    batch = BatchStore(submitter.job_store.redis).create(places, submitter.destination, options.to_message()).id
    submission = BatchSubmission(found, submitter, batch, in_flight=in_flight)
    with interruptible("Interrupted. Run the same command again to resume.", INTERRUPTED):
        _run(submission)
    count = submission.count
    if as_json:
        rest = {"rejected": count.rejected, "skipped": count.skipped}
        print(json.dumps({"batch": batch, "new": count.new, "done": count.done, "under_way": count.under_way} | rest))
    else:
        console.print(f"Batch {batch}: {count}. {_next_step(batch, count, to)}", highlight=False)
        _tell_left_out(batch, count)
    raise typer.Exit(int(count.rejected > 0))


def _next_step(batch: str, count: "Submitted", to: str) -> str:
    if count.new or count.under_way:
        return f"Follow it with `duet watch {batch}`."
    return f"Nothing is left to do; `duet ls {shlex.quote(to)}` lists the results." if count.done else ""


def _run(submission: "BatchSubmission") -> None:
    background = batch_arguments.Background(submission)
    started = time.monotonic()
    with messages.status("Reading ...") if messages.is_terminal else console.status("") as view:
        if not messages.is_terminal:
            view.stop()
        try:
            while not background.is_over:
                time.sleep(TICK_S / 5 if time.monotonic() - started < 1.0 else TICK_S)
                view.update(f"Reading: {submission.count}, {submission.count.read_bytes / 1e6:,.0f} MB")
        finally:
            background.stop()


def _tell_left_out(batch: str, count: "Submitted") -> None:
    from pipeline.cli import display
    from pipeline.client.batch_progress import BatchTotals
    from pipeline.state.batch_store import BatchStore

    for rejected in BatchStore().rejected(batch) if count.rejected else ():
        print_error(rejected.reason)
    sums = BatchTotals()
    for skipped in BatchStore().skipped(batch) if count.skipped else ():
        sums.leave_out(skipped)
    console.print(display.left_out(sums))
