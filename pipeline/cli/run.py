"""`duet run`: the whole pipeline on this machine, from audio files to results."""

import json
import time
from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated

import typer

from pipeline.cli import batch_arguments, broker_session
from pipeline.cli.follow import follow
from pipeline.cli.job_options import with_job_options
from pipeline.cli.starting import starting
from pipeline.cli.terminal import FAILED, INTERRUPTED, TICK_S, interruptible, print_error
from pipeline.errors import BrokerError, DuetError

if TYPE_CHECKING:
    from pipeline.client.episode_row import EpisodeRow
    from pipeline.embedded.stack import Stack
    from pipeline.sources import Found
    from pipeline.types import Options

IN_FLIGHT = 500


@with_job_options
def run(
    places: batch_arguments.Places,
    to: batch_arguments.To,
    options: "Options",
    force: batch_arguments.Force = False,
    in_flight: batch_arguments.InFlight = IN_FLIGHT,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print one JSON object per line, one per episode or file left out.")
    ] = False,
) -> None:
    """Transcribe and analyze every episode at the given places, on this machine alone.

    Starts a broker and pools, shows the progress, writes the results and stops what it started. With
    DUET_BROKER_URL set, that broker and its workers do the work instead. Finished episodes are skipped,
    so the same command resumes an interrupted run.
    """
    with interruptible("Interrupted. Run the same command again to resume.", INTERRUPTED), starting() as step:
        step("looking for episodes")
        found = batch_arguments.found_at(places)
        if sentence := _why_not_writable(to):
            code = _refuse(found, sentence, as_json=as_json)
        else:
            step("starting")
            with broker_session.workers() as stack:
                work = _Work(places, to, options, found, force, in_flight)
                if stack:
                    stack.note_run(work.watch.batch)
                step("")
                code = follow(work.watch, work.ended(stack), work.said, work.watch.started_at, as_json=as_json)
                if stack:
                    stack.note_run_ended(work.watch.batch)
    raise typer.Exit(code)


class _Work:
    """The batch of this run: submitted in the background, watched in the foreground."""

    def __init__(
        self, places: list[str], to: str, options: "Options", found: "Iterator[Found]", force: bool, in_flight: int
    ) -> None:
        from pipeline.client.batch_progress import BatchProgress
        from pipeline.client.batch_submission import BatchSubmission
        from pipeline.client.submitter import Submitter
        from pipeline.state.batch_store import BatchStore

        submitter = Submitter(to, options, force=force)
        batch = BatchStore(submitter.job_store.redis).create(places, submitter.destination, options.to_message())
        self.watch = BatchProgress(batch.id, submitter.job_store)
        self.submission = BatchSubmission(found, submitter, batch.id, in_flight=in_flight)

    def said(self) -> str:
        """Return the counts of the submission, such as `37 done already, 2 new`."""
        return str(self.submission.count) if self.submission.count.is_begun else "looking for episodes"

    def ended(self, stack: "Stack | None") -> "Iterator[list[EpisodeRow]]":
        """Yield lists of newly ended rows, each row once; empty lists in between refresh the view."""
        background = batch_arguments.Background(self.submission)
        try:
            while True:
                if stack:
                    stack.restart_ended()
                try:
                    is_submitted = background.is_over
                    yield self.watch.refresh()
                    if stack:
                        # After the refresh, since a pool publishes its failure before it answers any episode.
                        stack.check_pools()
                    if is_submitted and self.watch.is_over:
                        return
                except BrokerError:
                    if not stack or background.error:
                        raise
                    continue  # our own Valkey has died; `restart_ended` starts it again with its persisted data
                time.sleep(TICK_S)
        finally:
            background.stop()


def _why_not_writable(to: str) -> str:
    from pipeline.storage import as_uri, open_storage
    from pipeline.storage.file import PROBE

    try:
        open_storage(as_uri(to)).check_writable()
    except DuetError as error:
        return str(error).replace(f"/{PROBE}", "")
    return ""


def _refuse(found: "Iterator[Found]", sentence: str, *, as_json: bool) -> int:
    """Say once why nothing can be written, and return the exit status; as JSON, report every episode as failed."""
    from pipeline.client.episode_row import EpisodeRow, left_out_json
    from pipeline.sources import Rejected, Skipped

    if not as_json:
        print_error(sentence)
        return FAILED
    for item in found:
        if isinstance(item, Skipped):
            print(json.dumps(left_out_json(item)))
            continue
        row = EpisodeRow.of_rejected(item) if isinstance(item, Rejected) else EpisodeRow(item.name, error=sentence)
        print(json.dumps(row.to_json()))
    return FAILED
