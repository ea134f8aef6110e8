"""`duet open`: an episode's player in the browser."""

import os
import sys
from typing import Annotated

import typer

from pipeline.cli.completion import episodes
from pipeline.cli.terminal import console, exit_usage
from pipeline.client.library import PLACE

PLAYER = "player.html"


def open(
    episode: Annotated[
        str,
        typer.Argument(
            metavar="EPISODE", help="Folder, name or id of an episode, or a part of it.", autocompletion=episodes
        ),
    ],
    place: Annotated[str, typer.Option("--in", metavar="PLACE", help="A folder or s3://bucket/prefix.")] = PLACE,
) -> None:
    """Open an episode's player in the browser, and print its path; without a display only print it.

    The player of an episode in a bucket is copied to this machine first.
    """
    from pipeline.client.library import find_episode, why_no_transcript
    from pipeline.storage import open_storage

    storage = open_storage(find_episode(episode, place))
    if not storage.exists(PLAYER):
        exit_usage(why_no_transcript(storage, episode, place))
    path = storage.local_path(PLAYER)
    console.print(str(path), markup=False, highlight=False, soft_wrap=True)
    if _has_display():
        typer.launch(str(path))


def _has_display() -> bool:
    return sys.platform == "darwin" or bool(os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY"))
