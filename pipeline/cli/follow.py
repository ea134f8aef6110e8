"""The view of a batch in `duet run` and `duet watch`: live in a terminal, else line by line."""

import json
import time
from collections.abc import Callable, Iterable
from contextlib import nullcontext
from typing import TYPE_CHECKING

from rich.live import Live

from pipeline.cli.terminal import console, print_error
from pipeline.errors import BrokerError

if TYPE_CHECKING:
    from pipeline.client.batch_progress import BatchProgress
    from pipeline.client.episode_row import EpisodeRow

TABLE_ROWS = 50
"""Maximum number of rows in the final table; a larger batch shows only its failures."""
ABANDONED = "Not everything was submitted, for its client ended before; the same command does the rest."


def follow(
    watch: "BatchProgress", ends: "Iterable[list[EpisodeRow]]", said: Callable[[], str], since: float, *, as_json: bool
) -> int:
    """Show a batch until its end, write its report, and return the exit status.

    Args:
        watch: the batch.
        ends: lists of newly ended rows, one for each refresh of the view.
        said: returns the progress of the submission as text.
        since: start of the batch in seconds since the epoch.
        as_json: print one JSON object per line, one per episode, and nothing else.
    """
    from pipeline.cli.display import final, left_out, line, summary
    from pipeline.cli.live_view import live
    from pipeline.cli.next_step import next_step
    from pipeline.client.episode_row import left_out_json
    from pipeline.state.pool_status import pool_states

    is_live = console.is_terminal and not as_json
    kept: list[EpisodeRow] = []
    with Live(console=console, auto_refresh=False, transient=True) if is_live else nullcontext() as view:
        for rows in ends:
            for row in rows:
                if as_json:
                    print(json.dumps(row.to_json()), flush=True)
                elif not view:
                    console.print(line(row), markup=False, highlight=False, soft_wrap=True)
            for skipped in watch.left_out():
                if as_json:
                    print(json.dumps(left_out_json(skipped)), flush=True)
            kept = _worth_a_table([*kept, *rows], watch)
            if view:
                view.update(live(watch, pool_states(), said(), console.width, console.height), refresh=True)
    report = _report_of(watch)
    if not as_json:
        until = watch.sums.ended_at if watch.sums.ended_at > since else time.time()
        console.print(final(kept))
        console.print(left_out(watch.sums))
        console.print()
        console.print(summary(watch.sums, until - since, said()), highlight=False)
        console.print(next_step(watch, kept, report), highlight=False, soft_wrap=True)
    if watch.is_abandoned:
        print_error(ABANDONED)
    return int(watch.sums.has_failures or watch.is_abandoned)


def _worth_a_table(rows: "list[EpisodeRow]", watch: "BatchProgress") -> "list[EpisodeRow]":
    from pipeline.types import JobState

    if watch.sums.episodes <= TABLE_ROWS:
        return rows
    return [row for row in rows if row.state in (JobState.FAILED, JobState.CANCELLED)][:TABLE_ROWS]


def _report_of(watch: "BatchProgress") -> str:
    """Write the report of a batch and return its URI; empty for a single episode or a batch without new results."""
    from pipeline.client.report import write_report
    from pipeline.logs import as_duet_error

    if watch.sums.episodes < 2 or watch.sums.episodes == watch.sums.done_before:
        return ""
    try:
        return write_report(watch.batch, watch.job_store)
    except BrokerError:
        raise
    except Exception as error:  # a failed report must not make finished work look lost
        print_error(str(as_duet_error(error, "The report")))
        return ""
