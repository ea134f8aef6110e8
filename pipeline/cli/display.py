"""The live progress and the final table of `duet run` and `duet watch`."""

import time
from collections.abc import Sequence

from rich.console import Group, RenderableType
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from pipeline.client.batch_progress import BatchProgress, BatchTotals
from pipeline.client.episode_row import EpisodeRow, last_part
from pipeline.storage import for_people
from pipeline.types import LEGS, MODEL_LEGS, JobState, Leg
from pipeline.types.pools import LOADING, POOL_OF
from pipeline.types.records import LegRecord
from pipeline.types.text import safe_line
from pipeline.types.time_format import hms

STYLES = {
    JobState.COMPLETED: "green",
    JobState.PARTIAL: "yellow",
    JobState.FAILED: "red",
    JobState.CANCELLED: "red",
}
MARKS = {"ok": "✓", "failed": "✗", "skipped": "–"}
BAR_WIDTH = 24


def live(watch: BatchProgress, pools: dict[str, dict[str, str]], submitted: str = "") -> RenderableType:
    """Return one row per episode with its legs, and a total with an estimate of the time left."""
    table = Table(box=None, pad_edge=False, expand=False)
    table.add_column("episode", overflow="ellipsis", no_wrap=True, max_width=40)
    table.add_column("length", justify="right")
    shown = watch.shown()
    legs: tuple[Leg, ...] = LEGS if any(map(_tells_speakers_apart, shown)) else MODEL_LEGS
    for leg in legs:
        table.add_column(leg, no_wrap=True)
    table.add_column("state", no_wrap=True)
    for row in shown:
        table.add_row(
            row.name,
            hms(row.audio_s) if row.audio_s else "",
            *(_leg(row, leg, pools) for leg in legs),
            _state(row),
        )
    hidden = watch.open_count + watch.sums.episodes - len(shown)
    more = [Text(f"... and {hidden} more", style="dim")] if hidden > 0 else []
    caption = [Text(submitted, style="dim")] if submitted else []
    return Group(table, *more, *caption, _total(watch))


def final(rows: Sequence[EpisodeRow]) -> RenderableType:
    """Return the final table: the outcome and the location of each episode."""
    table = Table(box=None, pad_edge=False)
    table.add_column("episode", overflow="fold")
    table.add_column("length", justify="right")
    table.add_column("transcript after", justify="right")
    table.add_column("total", justify="right")
    table.add_column("status")
    table.add_column("where", overflow="fold")
    for row in rows:
        table.add_row(
            row.name,
            hms(row.audio_s) if row.audio_s else "",
            _seconds(row.transcript_s),
            _seconds(row.total_s),
            _state(row),
            for_people(row.uri or ""),
        )
    return Group(table, *_reasons(rows))


def left_out(sums: BatchTotals) -> RenderableType:
    """Return the number of files that are not episodes, with the reasons; empty if there are none."""
    if not sums.left_out:
        return Group()
    total = sums.left_out.total()
    lines = [Text(f"\n{total} file{'s' if total != 1 else ''} left out", style="bold")]
    for reason, count in sums.left_out.most_common():
        names = [last_part(source) for source in sums.left_out_examples[reason]]
        lines.append(Text(f"  {_names(names, count)}: {reason}"))
    return Group(*lines)


def summary(sums: BatchTotals, elapsed_s: float, submitted: str) -> str:
    """Return one sentence about a whole batch."""
    counts = [f"{sums.states[state]} {state.value}" for state in STYLES if sums.states[state]]
    of = f"{sums.episodes} episode{'s' if sums.episodes != 1 else ''}"
    return f"{of}, {hms(sums.audio_s)} of audio, in {hms(elapsed_s)}: {', '.join(counts)} ({submitted})."


def line(row: EpisodeRow) -> str:
    """Return one line about an ended episode, for output that is not a terminal."""
    length = f", {hms(row.audio_s)} long" if row.audio_s else ""
    took = f", transcript after {row.transcript_s:.1f} s" if row.transcript_s else ""
    reason = f": {row.reason}" if row.reason else ""
    return f"{safe_line(row.source)}: {row.state.value}{' already' if row.was_done else ''}{length}{took}{reason}"


def _tells_speakers_apart(row: EpisodeRow) -> bool:
    leg = row.record.legs["speakers"] if row.record else LegRecord()
    return leg.outcome.status != "skipped" if leg.outcome else leg.done_s > 0


def _leg(row: EpisodeRow, name: Leg, pools: dict[str, dict[str, str]]) -> RenderableType:
    leg = row.record.legs[name] if row.record else LegRecord()
    if outcome := leg.outcome:
        took = f" {outcome.work_s:.1f} s" if outcome.status == "ok" else ""
        return Text(f"{MARKS[outcome.status]} {outcome.status}{took}", style="dim" if row.was_done else "")
    if leg.started_at is None:
        return Text("" if row.state.is_final else _waiting(pools.get(POOL_OF[name], {})), style="dim")
    if leg.total_s and leg.done_s:
        return Text(f"{hms(leg.done_s)} of {hms(leg.total_s)}")
    return Text(f"at work, {hms(max(0.0, time.time() - leg.started_at))}")


def _waiting(pool: dict[str, str]) -> str:
    if pool.get("status", LOADING) != LOADING:
        return "waits"
    percent = pool.get("percent", "0")
    return f"loading {percent} %" if percent != "0" else "model loads"


def _state(row: EpisodeRow) -> Text:
    already = " already" if row.was_done else ""
    return Text(row.state.value + already, style=STYLES.get(row.state, ""))


def _total(watch: BatchProgress) -> RenderableType:
    over, total = watch.sums.episodes, watch.sums.episodes + watch.open_count
    bar = ProgressBar(total=max(total, 1), completed=over, width=BAR_WIDTH)
    grid = Table.grid(padding=(0, 1))
    grid.add_row(bar, Text(f"{over} of {total} episodes{_estimate(watch)}"))
    return grid


def _estimate(watch: BatchProgress) -> str:
    """Estimate from bytes, since the lengths of waiting episodes are not known here."""
    if not watch.sums.done_bytes or not watch.open_bytes:
        return ""
    left_s = (time.time() - watch.started_at) * watch.open_bytes / watch.sums.done_bytes
    return f", about {hms(left_s)} left"


def _reasons(rows: Sequence[EpisodeRow]) -> list[RenderableType]:
    by_reason: dict[str, list[str]] = {}
    for row in rows:
        if row.reason:
            by_reason.setdefault(row.reason, []).append(row.name)
    return [
        Text.assemble("\n", (_names(names, len(names)), "bold"), f"\n  {reason}") for reason, names in by_reason.items()
    ]


def _names(names: list[str], count: int) -> str:
    return ", ".join(names[:3]) + (f" and {count - 3} more" if count > 3 else "")


def _seconds(seconds: float | None) -> str:
    return f"{seconds:.1f} s" if seconds is not None else ""
