"""`duet show`: the notes of an episode, printed or opened for the user."""

from typing import TYPE_CHECKING, Annotated

import typer

from pipeline.cli.completion import episodes
from pipeline.cli.streams import write_bytes
from pipeline.cli.terminal import console, exit_usage
from pipeline.client.library import NOTES, PLACE

if TYPE_CHECKING:
    from pipeline.storage import Storage

READABLE = 100
"""Columns of the widest text that is read with ease."""


def show(
    episode: Annotated[
        str,
        typer.Argument(
            metavar="EPISODE", help="Folder, name or id of an episode, or a part of it.", autocompletion=episodes
        ),
    ],
    place: Annotated[str, typer.Option("--in", metavar="PLACE", help="A folder or s3://bucket/prefix.")] = PLACE,
    in_browser: Annotated[bool, typer.Option("--open", help="Open the notes in their default program.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print the whole result.json.")] = False,
) -> None:
    """Print the notes of an episode, or its transcript if it has none; needs no broker."""
    from pipeline.client.library import find_episode, why_no_transcript
    from pipeline.storage import open_storage

    storage = open_storage(find_episode(episode, place))
    if as_json:
        write_bytes(storage.get("result.json"))
        return
    notes = next((name for name in NOTES if storage.exists(name)), None)
    if notes is None:
        exit_usage(why_no_transcript(storage, episode, place))
    if in_browser:
        typer.launch(str(storage.local_path(notes)))
        return
    text = storage.get(notes)
    if not console.is_terminal:
        write_bytes(text)
        return
    _print_head(storage)
    if notes.endswith(".md"):
        from rich.markdown import Markdown

        console.print(Markdown(text.decode(errors="replace"), hyperlinks=False), width=min(console.width, READABLE))
    else:
        console.print(text.decode(errors="replace"), soft_wrap=True)


def _print_head(storage: "Storage") -> None:
    """Print the show, the day, the length, the language, the status, and the place of the player."""
    from rich.text import Text

    from pipeline.cli import cells
    from pipeline.client.library import day_of, status_of
    from pipeline.results.manifest import read_manifest

    if result := read_manifest(storage):
        facts = [result.show, day_of(result), cells.length(result.audio_s), result.language or ""]
        shown = [Text(it, style="dim") for it in facts if it]
        console.print(Text(" · ", style="dim").join([*shown, cells.status(status_of(result))]))
        console.print(Text(cells.from_here(f"{storage.uri}/player.html"), style="dim"), soft_wrap=True)
        console.print()
