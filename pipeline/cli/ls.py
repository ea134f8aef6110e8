"""`duet ls`: the episodes at a destination."""

import json
from typing import Annotated

import typer

from pipeline.cli.terminal import console
from pipeline.client.library import PLACE
from pipeline.types.graphemes import clipped


def ls(
    place: Annotated[str, typer.Argument(metavar="[PLACE]", help="A folder or s3://bucket/prefix.")] = PLACE,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object per line, one per episode.")] = False,
) -> None:
    """List the episodes at a destination with length, state and summary; needs no broker."""
    from rich.table import Table
    from rich.text import Text

    from pipeline.cli.display import STYLES
    from pipeline.client.library import episodes
    from pipeline.storage import as_uri, join
    from pipeline.types.text import safe_line
    from pipeline.types.time_format import hms

    table = Table(box=None, pad_edge=False)
    for name in ("episode", "length", "state", "about"):
        table.add_column(name, justify="right" if name == "length" else "left", overflow="fold")
    for name, result in episodes(place):
        about = result.analysis.summary_sentence or result.analysis.summary if result.analysis else ""
        if as_json:
            row = {"name": name, "uri": join(as_uri(place), name), "state": result.state, "audio_s": result.audio_s}
            print(json.dumps(row | {"language": result.language, "about": about, "reason": result.reason}))
        else:
            length = hms(result.audio_s) if result.audio_s else ""
            state = Text(result.state.value, style=STYLES.get(result.state, ""))
            table.add_row(safe_line(name), length, state, _short(about))
    if not as_json:
        console.print(table if table.row_count else f"There are no episodes in {place}.", highlight=False)


def _short(text: str) -> str:
    return text if len(text) <= 100 else f"{clipped(text, 99)}…"
