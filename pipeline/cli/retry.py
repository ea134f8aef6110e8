"""`duet retry`: the missing parts of ended jobs, run again."""

import json
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import nullcontext
from typing import TYPE_CHECKING, Annotated

import typer
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from pipeline.cli import broker_session
from pipeline.cli.cells import counted
from pipeline.cli.terminal import (
    BAD_USAGE,
    FAILED,
    INTERRUPTED,
    TICK_S,
    console,
    exit_usage,
    interruptible,
    messages,
    print_error,
)
from pipeline.errors import AudioError, BrokerError, StorageError, TransientError

if TYPE_CHECKING:
    from pipeline.client.dead_letters import DeadLetter
    from pipeline.embedded.stack import Stack
    from pipeline.state.job_store import JobStore
    from pipeline.types.records import JobRecord

CHOICES = 10
COLUMNS = (BarColumn(24), MofNCompleteColumn(), TextColumn("episodes"), TimeElapsedColumn())


def retry(
    jobs: Annotated[list[str] | None, typer.Argument(metavar="JOB...", help="Job ids, or their starts.")] = None,
    failed: Annotated[bool, typer.Option("--failed", help="Retry all jobs that `duet failed` lists.")] = False,
    outlines: Annotated[
        bool, typer.Option("--outlines", help="Let Voxtral analyze the episodes that have an outline instead.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object per line, one per job.")] = False,
) -> None:
    """Run the missing parts of jobs that ended failed or partial, and wait until they have ended again.

    A leg that was ok is not run again. With --failed, episodes that lack only Voxtral are skipped while Voxtral
    is off. The exit status is 1 if a job fails again.
    """
    if bool(jobs) + failed + outlines != 1:
        exit_usage("Name the jobs, or give --failed or --outlines; `duet failed` and `duet status` list them.")
    with (
        interruptible("Interrupted. Run the same command again to resume.", INTERRUPTED),
        broker_session.workers() as stack,
    ):
        from pipeline.state.job_store import JobStore

        job_store = JobStore()
        if jobs:
            chosen = _named(jobs, job_store)
        else:
            chosen = _with_outlines(job_store, stack) if outlines else _all_that_can_be_mended(job_store, stack)
        began, refused = _begin(chosen, job_store)
        ended = []
        is_live = messages.is_terminal and console.is_terminal and not as_json
        for record in _ended(
            began, job_store, stack, Progress(*COLUMNS, console=messages, transient=True, disable=not is_live)
        ):
            if not is_live:
                _print_record(record, as_json=as_json)
            ended.append(record)
    if not as_json:
        _print_ended(ended)
    raise typer.Exit(FAILED if refused or any(it.state.value in ("failed", "cancelled") for it in ended) else 0)


def _named(names: list[str], job_store: "JobStore") -> "list[JobRecord]":
    known = job_store.jobs()
    found = []
    for name in names:
        fitting = [job for job in known if job.startswith(name)]
        if not fitting:
            exit_usage(f"No job begins with {name!r}; see `duet failed`.")
        if len(fitting) > 1:
            print_error(f"{len(fitting)} jobs begin with {name!r}; give more of the id:")
            _print_choices(fitting, job_store)
            raise typer.Exit(BAD_USAGE)
        found += fitting
    return [record for record in job_store.get_many(found) if record]


def _print_choices(jobs: list[str], job_store: "JobStore") -> None:
    from pipeline.cli import cells

    table = cells.table("job", "episode", "status")
    for record in job_store.get_many(jobs[:CHOICES]):
        if record:
            table.add_row(record.spec.job, cells.Name(record.title), cells.status(record.status))
    messages.print(table)
    if len(jobs) > CHOICES:
        messages.print(f"... and {len(jobs) - CHOICES} more", style="dim")


def _with_outlines(job_store: "JobStore", stack: "Stack | None") -> "list[JobRecord]":
    from pipeline.client.dead_letters import with_outlines

    found = list(with_outlines(job_store))
    if found and (reason := broker_session.why_voxtral_is_off(stack)):
        print_error(
            f"{counted(len(found), 'episode')} keep the outline, because Voxtral is still unavailable: {reason}"
        )
        raise typer.Exit(FAILED)
    return found


def _all_that_can_be_mended(job_store: "JobStore", stack: "Stack | None") -> "list[JobRecord]":
    from pipeline.client.dead_letters import dead_letters

    letters = [letter for letter in dead_letters(job_store) if letter.can_be_mended]
    waiting = [letter for letter in letters if letter.waits_for_voxtral]
    if waiting and (reason := broker_session.why_voxtral_is_off(stack)):
        left = f"{counted(len(waiting), 'job')} not retried because Voxtral is unavailable: {reason}"
        messages.print(left, style="yellow", markup=False)
        letters = _without(letters, waiting)
    return [letter.record for letter in letters]


def _without(letters: "list[DeadLetter]", some: "list[DeadLetter]") -> "list[DeadLetter]":
    ids = {letter.id for letter in some}
    return [letter for letter in letters if letter.id not in ids]


def _begin(records: "list[JobRecord]", job_store: "JobStore") -> tuple[list[str], int]:
    """Queue the jobs again; return the ids of the queued ones and the number of refused ones."""
    from pipeline.client.retry import begin_again

    began, refused = [], 0
    for record in records:
        try:
            began.append(begin_again(record, job_store).job)
        except (AudioError, StorageError, TransientError) as error:
            print_error(str(error))
            refused += 1
    return began, refused


def _ended(jobs: list[str], job_store: "JobStore", stack: "Stack | None", progress: Progress) -> "Iterator[JobRecord]":
    """Yield the record of each job when it has ended."""
    with progress if jobs else nullcontext():
        bar = progress.add_task("", total=len(jobs))
        while jobs:
            if stack:
                stack.restart_ended()
            try:
                ended = [it for it in job_store.get_many(jobs) if it and it.state.is_final]
                if stack:
                    stack.check_pools()
            except BrokerError:
                if not stack:
                    raise
                continue  # our own Valkey has died; `restart_ended` starts it again with its persisted data
            yield from ended
            progress.advance(bar, len(ended))
            done = {it.spec.job for it in ended}
            jobs = [job for job in jobs if job not in done]
            time.sleep(TICK_S if jobs else 0)


def _print_record(record: "JobRecord", *, as_json: bool) -> None:
    from pipeline.cli.display import line
    from pipeline.client.dead_letters import DeadLetter
    from pipeline.client.episode_row import EpisodeRow

    if as_json:
        print(json.dumps(DeadLetter(record).to_json()), flush=True)
    else:
        console.print(line(EpisodeRow.of_job(record)), markup=False, highlight=False, soft_wrap=True)


def _print_ended(ended: "list[JobRecord]") -> None:
    from pipeline.cli.display import final
    from pipeline.client.episode_row import EpisodeRow

    if not ended:
        console.print("Nothing to retry.")
        return
    console.print(final([EpisodeRow.of_job(record) for record in ended]))
    counts = Counter(record.status.value for record in ended)
    console.print("\n" + ", ".join(f"{count} {status}" for status, count in counts.items()) + ".", highlight=False)
