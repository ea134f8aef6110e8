"""What `duet run` shows: the live progress and the table at the end."""

import time
from collections.abc import Sequence
from typing import Literal

from rich.console import Group, RenderableType
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from pipeline.clock import hms
from pipeline.ledger import LegRecord
from pipeline.run import Row
from pipeline.types import JobState

LegName = Literal["whisper", "voxtral"]
STYLES = {
    JobState.COMPLETED: "green",
    JobState.PARTIAL: "yellow",
    JobState.FAILED: "red",
    JobState.CANCELLED: "red",
}
MARKS = {"ok": "✓", "failed": "✗", "skipped": "–"}
LIVE_ROWS = 20
"""More rows than this would not fit a usual terminal."""
BAR_WIDTH = 24


def live(rows: Sequence[Row], started_at: float, pools: dict[str, dict[str, str]]) -> RenderableType:
    """Return one line an episode with both legs, and a total with an estimate."""
    table = Table(box=None, pad_edge=False, expand=False)
    table.add_column("episode", overflow="ellipsis", no_wrap=True, max_width=40)
    table.add_column("length", justify="right")
    table.add_column("whisper", no_wrap=True)
    table.add_column("voxtral", no_wrap=True)
    table.add_column("state", no_wrap=True)
    shown = _worth_showing(rows)
    for row in shown:
        table.add_row(
            _name(row),
            hms(row.audio_s) if row.audio_s else "",
            _leg(row, "whisper", pools),
            _leg(row, "voxtral", pools),
            _state(row),
        )
    hidden = len(rows) - len(shown)
    more = [Text(f"... and {hidden} more", style="dim")] if hidden else []
    return Group(table, *more, _total(rows, started_at))


def final(rows: Sequence[Row]) -> RenderableType:
    """Return the table of the end: what became of each episode and where it is."""
    table = Table(box=None, pad_edge=False)
    table.add_column("episode", overflow="fold")
    table.add_column("length", justify="right")
    table.add_column("transcript after", justify="right")
    table.add_column("total", justify="right")
    table.add_column("status")
    table.add_column("where", overflow="fold")
    for row in rows:
        table.add_row(
            _name(row),
            hms(row.audio_s) if row.audio_s else "",
            _seconds(row.transcript_s),
            _seconds(row.total_s),
            _state(row),
            row.job.uri.removeprefix("file://") if row.job else "",
        )
    return Group(table, *_reasons(rows))


def summary(rows: Sequence[Row], elapsed_s: float) -> str:
    """Return one sentence about the whole run."""
    states = [row.state for row in rows]
    counts = [f"{states.count(state)} {state.value}" for state in STYLES if state in states]
    done_before = sum(row.was_done for row in rows)
    before = f" ({done_before} done already)" if done_before else ""
    audio_s = sum(row.audio_s or 0.0 for row in rows)
    return f"{len(rows)} episodes, {hms(audio_s)} of audio, in {hms(elapsed_s)}: {', '.join(counts)}{before}."


def line(row: Row) -> str:
    """Return one line about an episode that has ended, for output that is not a terminal."""
    length = f", {hms(row.audio_s)} long" if row.audio_s else ""
    took = f", transcript after {row.transcript_s:.1f} s" if row.transcript_s else ""
    state = row.state.value if row.state else "waiting"
    reason = f": {row.reason}" if row.reason else ""
    return f"{row.source}: {state}{' already' if row.was_done else ''}{length}{took}{reason}"


def _worth_showing(rows: Sequence[Row]) -> Sequence[Row]:
    if len(rows) <= LIVE_ROWS:
        return rows
    at_work = [row for row in rows if row.state in (JobState.RUNNING, JobState.TRANSCRIBED)]
    waiting = [row for row in rows if row.state in (None, JobState.SUBMITTED)]
    ended = [row for row in rows if row.is_over]
    chosen = at_work[:LIVE_ROWS]
    chosen += waiting[: (LIVE_ROWS - len(chosen)) // 2]
    return ended[len(ended) - (LIVE_ROWS - len(chosen)) :] + chosen if len(chosen) < LIVE_ROWS else chosen


def _name(row: Row) -> str:
    return row.source.rpartition("/")[2] or row.source


def _leg(row: Row, name: LegName, pools: dict[str, dict[str, str]]) -> RenderableType:
    leg = row.record.legs[name] if row.record else LegRecord()
    if outcome := row.result.legs[name] if row.result else leg.outcome:
        took = f" {outcome.work_s:.1f} s" if outcome.status == "ok" else ""
        return Text(f"{MARKS[outcome.status]} {outcome.status}{took}", style="dim" if row.was_done else "")
    if leg.started_at is None:
        return Text("" if row.is_over else "waits" if name in pools else "model loads", style="dim")
    if leg.total_s and leg.done_s:
        return Text(f"{hms(leg.done_s)} of {hms(leg.total_s)}")
    return Text(f"at work, {hms(max(0.0, time.time() - leg.started_at))}")


def _state(row: Row) -> Text:
    if row.state is None:
        return Text("reading", style="dim")
    already = " already" if row.was_done else ""
    return Text(row.state.value + already, style=STYLES.get(row.state, ""))


def _total(rows: Sequence[Row], started_at: float) -> RenderableType:
    over = sum(row.is_over for row in rows)
    bar = ProgressBar(total=max(len(rows), 1), completed=over, width=BAR_WIDTH)
    grid = Table.grid(padding=(0, 1))
    grid.add_row(bar, Text(f"{over} of {len(rows)} episodes{_estimate(rows, started_at)}"))
    return grid


def _estimate(rows: Sequence[Row], started_at: float) -> str:
    """Estimate from bytes: the lengths of the episodes still waiting are not known here."""
    done = sum(row.size_bytes for row in rows if row.is_over and not row.was_done)
    left = sum(row.size_bytes for row in rows if not row.is_over)
    if not done or not left:
        return ""
    return f", about {hms((time.time() - started_at) * left / done)} left"


def _reasons(rows: Sequence[Row]) -> list[RenderableType]:
    by_reason: dict[str, list[str]] = {}
    for row in rows:
        if row.reason:
            by_reason.setdefault(row.reason, []).append(_name(row))
    return [Text.assemble("\n", (_names(names), "bold"), f"\n  {reason}") for reason, names in by_reason.items()]


def _names(names: list[str]) -> str:
    return ", ".join(names[:3]) + (f" and {len(names) - 3} more" if len(names) > 3 else "")


def _seconds(seconds: float | None) -> str:
    return f"{seconds:.1f} s" if seconds is not None else ""
