"""The final table of `duet run` and `duet watch`, with what its episodes have in common below it."""

from collections import Counter
from collections.abc import Sequence

from rich.console import Group, RenderableType
from rich.padding import Padding
from rich.text import Text

from pipeline.cli import cells
from pipeline.client.batch_progress import BatchTotals
from pipeline.client.episode_row import EpisodeRow, last_part
from pipeline.types.status import JobStatus, Tone
from pipeline.types.text import safe_line
from pipeline.types.time_format import hms

INDENT = (0, 0, 0, 2)
MARKS: dict[Tone, str] = {"bad": "✗", "warning": "!"}


def final(rows: Sequence[EpisodeRow]) -> RenderableType:
    """Return one line an episode in the order of their names, and what is missing, each reason once."""
    table = cells.table(
        "episode", "length", "transcript in", "total", "status", right=("length", "transcript in", "total")
    )
    names = _names(rows)
    for row in sorted(rows, key=lambda it: cells.natural(names[it.source])):
        total = Text("earlier", style="dim") if row.was_done else Text(cells.duration(row.total_s))
        table.add_row(
            cells.Name(names[row.source]),
            cells.length(row.audio_s),
            cells.duration(row.transcript_s),
            total,
            cells.status(row.status),
        )
    return Group(*([table] if rows else []), *_outlines(rows), *_shortfalls(rows))


def left_out(sums: BatchTotals) -> RenderableType:
    """Return the number of files that are not episodes, with the reasons; empty if there are none."""
    if not sums.left_out:
        return Group()
    lines: list[RenderableType] = [Text(f"\n{cells.counted(sums.left_out.total(), 'file')} left out", style="bold")]
    for reason, count in sums.left_out.most_common():
        names = cells.some(map(last_part, sums.left_out_examples[reason]), count)
        lines.append(Padding(Text(f"{names}: {reason}"), INDENT))
    return Group(*lines)


def summary(sums: BatchTotals, elapsed_s: float, submitted: str) -> str:
    """Return one sentence about a whole batch."""
    counts = [f"{sums.statuses[status]} {status.value}" for status in JobStatus if sums.statuses[status]]
    speed = sums.speed(sums.ended_at)
    rate = f" ({speed:.0f}x)" if speed and speed >= 1 else ""
    of = f"{cells.counted(sums.episodes, 'episode')}, {hms(sums.audio_s)} of audio, in {hms(elapsed_s)}{rate}"
    return f"{of}: {', '.join(counts) or 'nothing'} ({submitted})."


def line(row: EpisodeRow) -> str:
    """Return one line about an ended episode, for output that is not a terminal."""
    before = " (done before)" if row.was_done else ""
    length = f", {hms(row.audio_s)} long" if row.audio_s else ""
    took = f", transcript in {row.transcript_s:.1f} s" if row.transcript_s else ""
    reasons = f": {' '.join(row.shortfalls)}" if row.shortfalls else ""
    return f"{safe_line(row.source)}: {row.status.value}{before}{length}{took}{safe_line(reasons)}"


def _outlines(rows: Sequence[EpisodeRow]) -> list[RenderableType]:
    """Return a sentence for each reason why episodes have an outline."""
    by_reason: dict[str, int] = {}
    for row in rows:
        if row.has_outline:
            by_reason[row.why_no_analysis] = by_reason.get(row.why_no_analysis, 0) + 1
    return [
        Text(
            f"\n{cells.counted(count, 'episode')} {'has' if count == 1 else 'have'} an outline instead of an analysis: "
            f"{why.rstrip('.')}. `duet doctor` shows three ways."
        )
        for why, count in by_reason.items()
    ]


def _shortfalls(rows: Sequence[EpisodeRow]) -> list[RenderableType]:
    """Return each reason once, with the episodes that it concerns."""
    by_reason: dict[str, list[EpisodeRow]] = {}
    for row in rows:
        for reason in row.shortfalls:
            by_reason.setdefault(reason, []).append(row)
    names = _names(rows)
    found: list[RenderableType] = [Text()] if by_reason else []
    for reason, its in by_reason.items():
        tone = its[0].status.tone
        of = cells.some((names[row.source] for row in its), len(its))
        found.append(Text(f"{MARKS.get(tone, '-')} {of}", style=cells.COLOURS[tone]))
        found.append(Padding(Text(reason), INDENT))
    return found


def _names(rows: Sequence[EpisodeRow]) -> dict[str, str]:
    """Return the name of each source: the title, or the file's name where several have the same title."""
    titles = Counter(row.title for row in rows)
    return {row.source: row.title if titles[row.title] == 1 else row.name for row in rows}
