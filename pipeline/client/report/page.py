"""The report as one HTML page."""

import json
from collections import Counter
from collections.abc import Iterator, Sequence
from importlib.resources import files
from string import Template

from pipeline.client.episode_row import EpisodeRow
from pipeline.client.report.about import About
from pipeline.client.report.charts import charts
from pipeline.client.report.missed_section import missed_section
from pipeline.client.report.table import table_head, table_row
from pipeline.client.report.text import LEG_NAMES, counted, escaped, speed
from pipeline.client.report.totals import work_of
from pipeline.types import LEGS
from pipeline.types.report import BatchReport, ReportTotals
from pipeline.types.time_format import hms

FIRST_ROWS = 300
"""Rows that are part of the page itself; a script adds the others piece by piece, so that the page answers at once."""


def render(report: BatchReport, rows: Sequence[EpisodeRow], abouts: Sequence[About], destination: str) -> str:
    """Return the page of a report.

    Args:
        report: the content of `batch.json`.
        rows: its episodes.
        abouts: what each of them is about.
        destination: URI of the folder in which the page will be.
    """
    summed = report.totals or ReportTotals(audio_s=0.0, words=0, took_s=0.0)
    legs = [leg for leg in LEGS if leg in summed.legs]
    lines = [table_row(row, it, destination, legs) for row, it in zip(rows, abouts, strict=True)]
    later = lines[FIRST_ROWS:]
    drawn = charts(work_of(rows), _ends(rows))
    parts = {
        "style": _own("report.css"),
        "script": _own("report.js"),
        "batch": escaped(report.batch),
        "episodes": counted(len(rows), "episode"),
        "when": report.created_at[:16].replace("T", " "),
        "places": escaped(", ".join(report.places)),
        "destination": escaped(report.destination),
        "statuses": "".join(_statuses(rows)),
        "totals": "".join(f"<div><dt>{name}</dt><dd>{value}</dd></div>" for name, value in _totals(summed)),
        "missed": missed_section(report),
        "choices": "".join(f"<option>{it}</option>" for it in Counter(row.status.value for row in rows)),
        "legs": str(len(legs)),
        "head": table_head(legs),
        "rows": "\n".join(lines[:FIRST_ROWS]),
        "rest": _in_script(later),
        "noscript": f"<noscript><p>{counted(len(later), 'more episode')}: batch.json</p></noscript>" if later else "",
        "charts": f"<details><summary>Speed</summary>{drawn}</details>" if drawn else "",
    }
    return Template(_own("report.html")).substitute(parts)


def _in_script(lines: Sequence[str]) -> str:
    """Return JSON that neither ends a script element nor begins a comment in it."""
    return json.dumps(lines, ensure_ascii=False).replace("</", "<\\/").replace("<!", "<\\u0021")


def _own(name: str) -> str:
    return files(__package__ or __name__).joinpath(name).read_text(encoding="utf-8")


def _statuses(rows: Sequence[EpisodeRow]) -> Iterator[str]:
    for status, count in Counter(row.status for row in rows).items():
        yield f'<li class="{status.tone}"><b>{count:,}</b> {status.value}</li>'


def _totals(summed: ReportTotals) -> Iterator[tuple[str, str]]:
    """Yield the name and the HTML of each sum."""
    yield "Audio", hms(summed.audio_s)
    if summed.words:
        yield "Words", f"{summed.words:,}"
    yield "Time taken", hms(summed.took_s)
    for leg, it in summed.legs.items():
        spread = f", {speed(it.speed_least)} to {speed(it.speed_most)}" if it.episodes > 1 else ""
        yield f"{LEG_NAMES[leg]} at work", f"{hms(it.work_s)} <small>{speed(it.speed_median)} real time{spread}</small>"
    gpu_s = sum(it.gpu_s for it in summed.legs.values())
    if summed.estimated_cost is not None and gpu_s:
        counted_legs = " and ".join(LEG_NAMES[leg] for leg, it in summed.legs.items() if it.gpu_s)
        price = f"at most: {hms(gpu_s)} of {counted_legs} on cards, at {summed.gpu_cost_per_hour:g} an hour"
        yield "Cost", f"{summed.estimated_cost:,.2f} <small>{price}</small>"


def _ends(rows: Sequence[EpisodeRow]) -> list[tuple[float, float]]:
    """Return the end of each episode in seconds after the first submission, with its seconds of audio."""
    records = [it.record for it in rows if it.record and it.record.ended_at and not it.was_done]
    first = min((it.submitted_at for it in records), default=0.0)
    return [((it.ended_at or first) - first, it.audio_s or 0.0) for it in records]
