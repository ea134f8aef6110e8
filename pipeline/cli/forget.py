"""`duet forget`: removal of an episode, a job, or everything before a date, wherever Duet stores it."""

import json
import re
import sys
from dataclasses import asdict
from datetime import datetime
from typing import TYPE_CHECKING, Annotated

import typer

from pipeline.cli import broker_session
from pipeline.cli.completion import episodes
from pipeline.cli.terminal import FAILED, console, exit_usage, messages, print_error
from pipeline.client.library import PLACE

if TYPE_CHECKING:
    from pipeline.client.retention.removal import RemovalCounts, RemovalPlan, Remover

JOB = re.compile(r"[0-9a-f]{16}-[0-9a-f]{1,8}")
EPISODE = re.compile(r"[0-9a-f]{16}")
SHOWN = 10


def forget(
    what: Annotated[
        str | None,
        typer.Argument(
            metavar="EPISODE|JOB",
            help="Id of a job, or its start (with a digit after the dash); folder or name of an episode, or a part of "
            "it; or id of an episode (16 hex digits), for its results at every place that the broker knows.",
            autocompletion=episodes,
        ),
    ] = None,
    before: Annotated[
        str | None,
        typer.Option(
            metavar="DATE",
            help="Remove everything that ended before this date or time (2026-10-01, 2026-10-01T12:00): the broker's "
            "jobs, and the results in PLACE.",
        ),
    ] = None,
    place: Annotated[str, typer.Option("--in", metavar="PLACE", help="A folder or s3://bucket/prefix.")] = PLACE,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask for confirmation.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object with the removed items.")] = False,
) -> None:
    """Remove results, uploads, work files, cached copies and the broker's records; the submitted audio stays.

    Running jobs are refused: cancel them first. The exit status is 1 if something cannot be removed.
    """
    if bool(what and what.strip()) == bool(before):
        exit_usage("Name an episode or a job, or give --before DATE; `duet ls` and `duet status` list them.")
    with broker_session.broker():
        from pipeline.client.retention.removal import Remover
        from pipeline.state.job_store import JobStore

        eraser = Remover(JobStore())
        plan = eraser.before(_timestamp(before), place) if before else _found(str(what), place, eraser)
        if plan.is_empty and not before:
            print_error(f"There is nothing of {what!r} here; `duet status` and `duet ls {place}` list what there is.")
            raise typer.Exit(FAILED)
        if not plan.is_empty and not yes and sys.stdin.isatty():
            _confirm(plan)
        done = eraser.erase(plan)
    if as_json:
        print(json.dumps(asdict(done)))
    else:
        _print_counts(done)


def _found(what: str, place: str, eraser: "Remover") -> "RemovalPlan":
    from pipeline.client.library import find_episode

    if JOB.fullmatch(what):
        return eraser.of_job(eraser.job_named(what) or what)
    if EPISODE.fullmatch(what):
        return eraser.of_episode_everywhere(what, place)
    uri = find_episode(what, place)
    return eraser.of_episode(uri.rpartition("-")[2], [uri])


def _timestamp(text: str) -> float:
    try:
        return datetime.fromisoformat(text).timestamp()
    except (ValueError, OverflowError):
        exit_usage(f"{text!r} is no date; write it as 2026-10-01 or 2026-10-01T12:00.")


def _confirm(plan: "RemovalPlan") -> None:
    for uri in plan.folders[:SHOWN]:
        messages.print(uri, markup=False, highlight=False, soft_wrap=True)
    if len(plan.folders) > SHOWN:
        messages.print(f"and {len(plan.folders) - SHOWN} more", highlight=False)
    jobs, folders = _count(len(plan.records), "job"), _count(len(plan.folders), "folder")
    typer.confirm(f"Remove {jobs} and all that Duet has left in {folders}, for good?", abort=True, err=True)


def _print_counts(done: "RemovalCounts") -> None:
    counts = {
        "job": len(done.jobs),
        "file": done.files,
        "upload": done.uploads,
        "local copy": done.copies,
        "batch entry": done.batch_entries,
    }
    removed = ", ".join(_count(count, of) for of, count in counts.items() if count)
    for uri in done.folders:
        console.print(uri, markup=False, highlight=False, soft_wrap=True)
    console.print(f"Removed {removed}." if removed else "There was nothing to remove.", highlight=False)
    if done.left:
        files = "file that is" if len(done.left) == 1 else "files that are"
        console.print(f"{len(done.left)} {files} not Duet's stay: {done.left[0]}", markup=False, highlight=False)


def _count(count: int, of: str) -> str:
    many = f"{of[:-1]}ies" if of.endswith("y") else f"{of}s"
    return f"{count} {of if count == 1 else many}"
