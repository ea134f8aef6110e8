"""The rows of the report's table."""

from collections.abc import Sequence

from pipeline.client.episode_row import EpisodeRow
from pipeline.client.report.about import About
from pipeline.client.report.links import LINKS, PLAYER, folder_link
from pipeline.client.report.text import LEG_NAMES, escaped, seconds, speed
from pipeline.client.report.totals import leg_work
from pipeline.types import Leg
from pipeline.types.time_format import hms


def table_head(legs: Sequence[Leg]) -> str:
    """Return the cells of the head; a column with numbers is sorted by them."""
    names = ["Episode", "Length", "Words", *(LEG_NAMES[leg] for leg in legs), "Done after", "Status"]
    return "".join(f'<th scope="col">{name}</th>' for name in names)


def table_row(row: EpisodeRow, about: About, destination: str, legs: Sequence[Leg]) -> str:
    """Return a row with links to the episode's existing files."""
    status = row.status
    cells = [
        f'<th scope="row">{_episode(row, about, folder_link(row.uri, destination))}</th>',
        _figure("length", row.audio_s, hms(row.audio_s) if row.audio_s else ""),
        _figure("words", about.words, f"{about.words:,}" if about.words else ""),
        *(_work(row, leg) for leg in legs),
        _figure("done after", row.total_s, seconds(row.total_s)),
        f'<td><span class="{status.tone}">{status.value}{", done before" if row.was_done else ""}</span></td>',
    ]
    return f'<tr data-s="{status.value}">{"".join(cells)}</tr>'


def _episode(row: EpisodeRow, about: About, folder: str) -> str:
    title = escaped(row.title)
    href = f"{escaped(folder)}/"
    name = f'<a href="{href}{PLAYER}">{title}</a>' if folder and PLAYER in about.files else title
    links = [f'<a href="{href}{file}">{label}</a>' for file, label in LINKS.items() if folder and file in about.files]
    published = row.record.spec.episode.publication if row.record else None
    day = (published.published_at or "")[:10] if published else ""
    show = row.record.show if row.record else ""
    origin = [row.name] if row.title != row.name else []
    known = " · ".join([*(escaped(it) for it in (show, day, *origin) if it), *links])
    return f"<b>{name}</b>{_told(about)}" + (f"<small>{known}</small>" if known else "")


def _told(about: About) -> str:
    if about.summary:
        label = "<i>Outline, quoted:</i> " if about.is_quoted else ""
        return f"<p>{label}{escaped(about.summary)}</p>"
    return f"<p>{escaped(', '.join(about.topics))}</p>" if about.topics else ""


def _work(row: EpisodeRow, leg: Leg) -> str:
    if work := leg_work(row, leg):
        text = f"{seconds(work.work_s)} <small>{speed(work.speed)}</small>"
        return _figure(LEG_NAMES[leg], work.work_s, text)
    outcome = row.record.legs[leg].outcome if row.record else None
    if row.record is None or outcome is None:
        return "<td></td>"
    is_told = outcome.status != "skipped" or outcome.is_missing(row.record.spec.options)
    return _figure(LEG_NAMES[leg], None, "done before" if outcome.status == "ok" else outcome.status if is_told else "")


def _figure(name: str, value: float | None, text: str) -> str:
    """Return a cell with its column's name for narrow screens, and its value for sorting."""
    own = "" if value is None else f' data-v="{value:g}"'
    return f'<td data-n="{name}"{own}>{text}</td>' if text else "<td></td>"
