"""`duet show`: the notes of an episode, printed or opened for the user."""

from typing import Annotated

import typer

from pipeline.cli.completion import episodes
from pipeline.cli.streams import write_bytes
from pipeline.cli.terminal import console, exit_usage
from pipeline.client.library import NOTES, PLACE


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
    from rich.markdown import Markdown

    from pipeline.client.library import find_episode
    from pipeline.storage import open_storage

    storage = open_storage(find_episode(episode, place))
    if as_json:
        write_bytes(storage.get("result.json"))
        return
    notes = next((name for name in NOTES if storage.exists(name)), None)
    if notes is None:
        exit_usage(f"{storage.uri} has neither notes nor a transcript; `duet show {episode} --json` says why.")
    if in_browser:
        typer.launch(str(storage.local_path(notes)))
        return
    text = storage.get(notes)
    if not console.is_terminal:
        write_bytes(text)
    elif notes.endswith(".md"):
        console.print(Markdown(text.decode(errors="replace"), hyperlinks=False))
    else:
        console.print(text.decode(errors="replace"), soft_wrap=True)
