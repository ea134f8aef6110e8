"""Rows, counts and plot points of the report's page."""

import html
from collections import Counter
from collections.abc import Iterable, Sequence
from urllib.parse import quote

from pipeline.client.episode_row import EpisodeRow
from pipeline.client.report.plot import Point
from pipeline.types import LEGS, Leg
from pipeline.types.time_format import hms

LINKS = {"notes.md": "notes", "player.html": "listen", "transcript.txt": "transcript"}
"""File names of results, with the labels of their links."""


def counts(rows: Iterable[EpisodeRow]) -> dict[str, int]:
    """Return the number of rows in each state, in the order of the states."""
    return dict(Counter(row.state.value for row in rows))


def plot_points(rows: Iterable[EpisodeRow]) -> list[Point]:
    """Return the seconds that each leg worked on each episode in this batch."""
    return [
        Point(row.audio_s, outcome.work_s, leg, title(row))
        for row in rows
        if row.record and row.audio_s and not row.was_done
        for leg in LEGS
        if (outcome := row.record.legs[leg].outcome) and outcome.status == "ok" and not outcome.reused
    ]


def title(row: EpisodeRow) -> str:
    """Return the episode's title: the feed's, else the file's name."""
    publication = row.record.spec.episode.publication if row.record else None
    return (publication.title if publication else "") or row.name


def table_row(row: EpisodeRow, destination: str, files: frozenset[str]) -> str:
    """Return a row of the table with links to the episode's existing files."""
    cells = [
        f'<th scope="row">{html.escape(title(row))}{_links(row, destination, files)}</th>',
        _figure("length", hms(row.audio_s) if row.audio_s else ""),
        *(_figure(leg.capitalize(), _work(row, leg)) for leg in LEGS),
        _figure("transcript after", _seconds(row.transcript_s)),
        _figure("total", _seconds(row.total_s)),
        f'<td><span class="{row.state.value}">{row.state.value}{" already" if row.was_done else ""}</span></td>',
        f'<td class="reason">{html.escape(row.reason)}</td>',
    ]
    return f"<tr>{''.join(cells)}</tr>"


def _figure(name: str, text: str) -> str:
    """Return a cell with its column's name as an attribute, for narrow screens."""
    return f'<td data-name="{name}">{text}</td>' if text else "<td></td>"


def _links(row: EpisodeRow, destination: str, files: frozenset[str]) -> str:
    if not row.uri:
        return ""
    folder = quote(row.uri.removeprefix(destination).lstrip("/")) if not row.uri.startswith("file:") else _below(row)
    links: Sequence[str] = [
        f'<a href="{html.escape(folder)}/{name}">{label}</a>' for name, label in LINKS.items() if name in files
    ]
    return f" <small>{' '.join(links)}</small>" if links else ""


def _below(row: EpisodeRow) -> str:
    """Return the last part of a `file://` URI, which is already quoted."""
    return (row.uri or "").rpartition("/")[2]


def _work(row: EpisodeRow, leg: Leg) -> str:
    outcome = row.record.legs[leg].outcome if row.record else None
    if row.record is None or outcome is None:
        return ""
    if outcome.status != "ok":
        is_noted = leg != "speakers" or outcome.falls_short(row.record.spec.options)
        return outcome.status if is_noted else ""
    return "reused" if outcome.reused else _seconds(outcome.work_s)


def _seconds(seconds: float | None) -> str:
    return "" if seconds is None else f"{seconds:.1f} s" if seconds < 60 else hms(seconds)
