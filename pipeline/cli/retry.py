"""`duet retry`: the missing parts of ended jobs, run again."""

import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.progress import MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from pipeline.cli import broker_session
from pipeline.cli.terminal import FAILED, INTERRUPTED, TICK_S, console, exit_usage, interruptible, messages, print_error
from pipeline.errors import AudioError, BrokerError, StorageError, TransientError

if TYPE_CHECKING:
    from pipeline.client.dead_letters import DeadLetter
    from pipeline.embedded.stack import Stack
    from pipeline.state.job_store import JobStore
    from pipeline.types.records import JobRecord


def retry(
    jobs: Annotated[list[str] | None, typer.Argument(metavar="JOB...", help="Job ids, or their starts.")] = None,
    failed: Annotated[bool, typer.Option("--failed", help="Retry all jobs that `duet failed` lists.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object per line, one per job.")] = False,
) -> None:
    """Run the missing parts of jobs that ended failed or partial, and wait until they have ended again.

    A leg that was ok is not run again. With --failed, episodes that lack only Voxtral are skipped while Voxtral
    is off. The exit status is 1 if a job fails again.
    """
    if bool(jobs) == failed:
        exit_usage("Name the jobs, or give --failed; `duet failed` lists them.")
    with (
        interruptible("Interrupted. The same command goes on where this one stopped.", INTERRUPTED),
        broker_session.workers() as stack,
    ):
        from pipeline.state.job_store import JobStore

        job_store = JobStore()
        chosen = _named(jobs, job_store) if jobs else _all_that_can_be_mended(job_store, stack)
        began, refused = _begin(chosen, job_store)
        ended = []
        for record in _ended(began, job_store, stack):
            _print_record(record, as_json=as_json)
            ended.append(record)
    if not as_json:
        console.print(_summary(ended), highlight=False)
    raise typer.Exit(FAILED if refused or any(it.state.value in ("failed", "cancelled") for it in ended) else 0)


def _named(names: list[str], job_store: "JobStore") -> "list[JobRecord]":
    known = job_store.jobs()
    found = []
    for name in names:
        fitting = [job for job in known if job.startswith(name)]
        if len(fitting) != 1:
            exit_usage(f"{'No job' if not fitting else 'More than one job'} begins with {name!r}; see `duet failed`.")
        found += fitting
    return [record for record in job_store.get_many(found) if record]


def _all_that_can_be_mended(job_store: "JobStore", stack: "Stack | None") -> "list[JobRecord]":
    from pipeline.client.dead_letters import dead_letters

    letters = [letter for letter in dead_letters(job_store) if letter.can_be_mended]
    waiting = [letter for letter in letters if letter.waits_for_voxtral]
    if waiting and (reason := broker_session.why_voxtral_is_off(stack)):
        messages.print(f"{len(waiting)} left as they are, for Voxtral is off: {reason}", style="yellow", markup=False)
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


def _ended(jobs: list[str], job_store: "JobStore", stack: "Stack | None") -> "Iterator[JobRecord]":
    """Yield the record of each job when it has ended."""
    is_live = console.is_terminal and bool(jobs)
    columns = (TextColumn("at work"), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=messages, transient=True, disable=not is_live) as progress:
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
    from pipeline.client.dead_letters import DeadLetter

    if as_json:
        print(json.dumps(DeadLetter(record).to_json()), flush=True)
        return
    words = [record.state.value, Path(record.spec.episode.source).name, record.reason]
    console.print(" ".join(filter(None, words)), markup=False, highlight=False, soft_wrap=True)


def _summary(ended: "list[JobRecord]") -> str:
    if not ended:
        return "There was nothing to do again."
    counts = {it.state.value: sum(other.state is it.state for other in ended) for it in ended}
    return ", ".join(f"{count} {state}" for state, count in counts.items()) + "."
