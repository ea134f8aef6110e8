"""The live progress of `duet run` and `duet watch`, which fits the height of the terminal."""

import time
from collections.abc import Sequence

from rich.console import Group, RenderableType
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from pipeline.cli import cells
from pipeline.client.batch_progress import SHOWN_ROWS, BatchProgress
from pipeline.client.episode_row import EpisodeRow
from pipeline.types import LEGS, Leg
from pipeline.types.pools import LOADING, POOL_OF
from pipeline.types.time_format import hms

MARKS = {"ok": "✓", "failed": "✗", "skipped": "–"}
BAR_WIDTH = 24
OTHER_LINES = 5
"""Lines of the view that are not episodes: totals, what is submitted, the header, the number of others, the cursor."""
LEAST_ROWS = 3
WIDE = 100
"""Columns from which on there is room for the speakers' leg."""
Pools = dict[str, dict[str, str]]


def live(watch: BatchProgress, pools: Pools, submitted: str, width: int, height: int) -> RenderableType:
    """Return the totals with an estimate of the time left, and below one row an episode with its legs."""
    shown = watch.shown(max(LEAST_ROWS, min(SHOWN_ROWS, height - OTHER_LINES)))
    known = watch.open_count + watch.sums.episodes
    said = ", ".join(filter(None, [submitted, _waited_for(shown, pools)]))
    hidden = known - len(shown)
    more = [Text(f"... and {hidden} more", style="dim")] if hidden > 0 else []
    below = [_rows(shown, pools, width)] if shown else []
    return Group(*([_total(watch, known)] if known else []), Text(said, style="dim"), *below, *more)


def _rows(shown: Sequence[EpisodeRow], pools: Pools, width: int) -> Table:
    legs = [leg for leg in LEGS if any(_is_told(row, leg) for row in shown) and (leg != "speakers" or width >= WIDE)]
    table = cells.table("episode", "length", *legs, "status", right=("length",))
    for row in shown:
        style = "dim" if row.was_done else ""
        leg_cells = [Text(_leg(row, leg, pools), style=style) for leg in legs]
        table.add_row(cells.Name(row.title), cells.length(row.audio_s), *leg_cells, cells.status(row.status))
    return table


def _is_told(row: EpisodeRow, leg: Leg) -> bool:
    """Return whether a leg is asked for and not skipped; whether speakers are told apart is known once they are."""
    if not row.record or not row.record.spec.options.runs(leg):
        return False
    outcome = row.record.legs[leg].outcome
    if leg == "speakers" and not outcome:
        return row.record.spec.options.speakers is not None
    return outcome is None or outcome.status != "skipped"


def _leg(row: EpisodeRow, name: Leg, pools: Pools) -> str:
    if not row.record:
        return ""
    leg = row.record.legs[name]
    if outcome := leg.outcome:
        return f"{MARKS[outcome.status]} {cells.duration(outcome.work_s) if outcome.status == 'ok' else outcome.status}"
    if leg.started_at is None:
        return "" if row.state.is_final else _queued(pools.get(POOL_OF[name], {}))
    if leg.total_s and leg.done_s:
        return f"{min(leg.done_s / leg.total_s, 1.0):.0%}"
    return f"at work {hms(max(0.0, time.time() - leg.started_at))}"


def _queued(pool: dict[str, str]) -> str:
    return "queued" if pool.get("status", LOADING) != LOADING else "loading"


def _waited_for(shown: Sequence[EpisodeRow], pools: Pools) -> str:
    """Return the model that everything waits for, and for how long by now; empty once it is loaded."""
    open_rows = [row for row in shown if not row.state.is_final]
    pool = next((leg for leg in ("whisper", "voxtral") if any(_is_told(row, leg) for row in open_rows)), None)
    if pool is None:
        return ""
    state = pools.get(pool)
    if state is None:
        return f"waiting for {pool.capitalize()}'s pool"
    if state.get("status", LOADING) != LOADING:
        return ""
    began_at = float(state.get("began_at", time.time()))
    return f"loading {pool.capitalize()}, {max(0.0, time.time() - began_at):.0f} s so far"


def _total(watch: BatchProgress, known: int) -> RenderableType:
    bar = ProgressBar(total=known, completed=watch.sums.episodes, width=BAR_WIDTH)
    grid = Table.grid(padding=(0, 1))
    grid.add_row(bar, Text(f"{watch.sums.episodes} of {cells.counted(known, 'episode')}{_estimate(watch)}"))
    return grid


def _estimate(watch: BatchProgress) -> str:
    """Return the speed and the time left, by bytes: the lengths of waiting episodes are not known here."""
    sums, now = watch.sums, time.time()
    speed = sums.speed(now)
    if speed is None or sums.worked_from is None:
        return ""
    left_s = (now - sums.worked_from) * watch.open_bytes / max(sums.worked_bytes, 1)
    left = f", about {hms(left_s)} left" if watch.open_bytes else ""
    return f", {speed:.0f}x{left}" if speed >= 1 else f", {speed:.1f}x{left}"
