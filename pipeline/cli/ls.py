"""`duet ls`: the episodes at a destination."""

import json
import shlex
from typing import TYPE_CHECKING, Annotated

import typer

from pipeline.cli.terminal import console
from pipeline.client.library import PLACE

if TYPE_CHECKING:
    from rich.console import RenderableType
    from rich.table import Table

    from pipeline.types import EpisodeResult

ID_DIGITS = 7
"""Digits of an episode's id that are shown, as commands find an episode by a part of it."""
WITH_SHOW, WITH_ABOUT, OTHERS = 100, 140, 112
"""Columns of a terminal from which on there is room for the show and for what an episode is about; those before it."""


def ls(
    place: Annotated[str, typer.Argument(metavar="[PLACE]", help="A folder or s3://bucket/prefix.")] = PLACE,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object per line, one per episode.")] = False,
) -> None:
    """List the episodes at a destination with title, show, date, length and status; needs no broker."""
    from pipeline.client.library import episodes
    from pipeline.storage import as_uri, join

    found = []
    for name, result in episodes(place):
        if as_json:
            print(json.dumps(_json(name, join(as_uri(place), name), result)))
        else:
            found.append((name, result))
    if as_json:
        return
    if not found:
        console.print(f"There are no episodes in {place}.", highlight=False)
        return
    console.print(_table(found))
    where = "" if place == PLACE else f" --in {shlex.quote(place)}"
    example = found[0][0].rpartition("-")[2][:ID_DIGITS]
    console.print(
        f"\nTo read one: `duet show {example}{where}`; to listen: `duet open {example}{where}`.", highlight=False
    )


def _json(name: str, uri: str, result: "EpisodeResult") -> dict[str, object]:
    from pipeline.client.library import day_of, status_of

    return {
        "name": name,
        "uri": uri,
        "title": result.title,
        "show": result.show,
        "date": day_of(result),
        "state": result.state,
        "status": status_of(result),
        "audio_s": result.audio_s,
        "language": result.language,
        "about": _about(result),
        "reason": result.reason,
    }


def _table(found: "list[tuple[str, EpisodeResult]]") -> "Table":
    """Return the table, newest first, with as many columns as the terminal has room for."""
    from rich.text import Text

    from pipeline.cli import cells
    from pipeline.client.library import day_of, status_of

    with_show = console.width >= WITH_SHOW and any(result.show for _, result in found)
    with_about = console.width >= WITH_ABOUT
    names = ["id", "episode", *(["show"] if with_show else []), "date", "length", "status"]
    table = cells.table(*names, right=("length",))
    if with_about:
        table.add_column("about", no_wrap=True, overflow="ellipsis", max_width=console.width - OTHERS)
    for name, result in sorted(found, key=lambda it: day_of(it[1]), reverse=True):
        row: list[RenderableType] = [Text(name.rpartition("-")[2][:ID_DIGITS], style="dim"), cells.Name(result.title)]
        row += [cells.Name(result.show)] if with_show else []
        row += [day_of(result), cells.length(result.audio_s), cells.status(status_of(result))]
        table.add_row(*row, *([" ".join(_about(result).split())] if with_about else []))
    return table


def _about(result: "EpisodeResult") -> str:
    return (result.analysis.summary_sentence or result.analysis.summary) if result.analysis else ""
