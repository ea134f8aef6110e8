"""The part of the report that tells what was missed, each reason once."""

from collections.abc import Mapping, Sequence

from pipeline.client.report.text import counted, escaped, named
from pipeline.types import JobState
from pipeline.types.report import BatchReport, LeftOut, Missed, ReportedEpisode

FEW_NAMES, MOST_NAMES = 5, 200
OPEN_REASONS = 8
"""Number of reasons from which the further ones are folded."""


def missed_section(report: BatchReport) -> str:
    """Return the section with what was missed and what was left out; empty if there is neither."""
    known = {it.source: it for it in report.episodes}
    items = [_item(it, known) for it in report.missed] + _left_out(report.skipped)
    if not items:
        return ""
    folded = items[OPEN_REASONS:]
    rest = f"<details><summary>{counted(len(folded), 'more reason')}</summary><ul>{''.join(folded)}</ul></details>"
    return (
        '<section aria-labelledby="missed"><h2 id="missed">What was missed</h2>'
        f'<ul class="missed">{"".join(items[:OPEN_REASONS])}</ul>{rest if folded else ""}</section>'
    )


def _item(missed: Missed, known: Mapping[str, ReportedEpisode]) -> str:
    count = len(missed.sources)
    if missed.outline:
        head = f"{counted(count, 'episode')} {'has' if count == 1 else 'have'} an outline instead of an analysis"
        return _line("good", head, missed.reason, [], missed.details)
    names = [known[it].title or it for it in missed.sources]
    tone = "bad" if any(known[it].status is JobState.FAILED for it in missed.sources) else "warning"
    head = named(names, 1) if count == 1 else counted(count, "episode")
    return _line(tone, head, missed.reason, names if count > 1 else [], missed.details)


def _left_out(skipped: Sequence[LeftOut]) -> list[str]:
    by_reason: dict[str, list[str]] = {}
    for it in skipped:
        by_reason.setdefault(it.reason, []).append(it.source.rstrip("/").rpartition("/")[2] or it.source)
    return [
        _line("open", f"{counted(len(names), 'file')} skipped", reason, names, ())
        for reason, names in by_reason.items()
    ]


def _line(tone: str, head: str, reason: str, names: Sequence[str], details: Sequence[str]) -> str:
    """Return a reason with its names and, folded, with all that is longer; `head` is HTML."""
    long = [f"<p>{escaped(it)}</p>" for it in details]
    long += [f"<p>{named(names, MOST_NAMES)}</p>"] if len(names) > FEW_NAMES else []
    folded = f"<details><summary>Details</summary>{''.join(long)}</details>" if long else ""
    short = f"<small>{named(names, FEW_NAMES)}</small>" if names else ""
    return f'<li><b class="{tone}">{head}</b>: {escaped(reason)} {short}{folded}</li>'
