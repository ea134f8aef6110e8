"""`duet down`: ends `duet up`."""

import typer

from pipeline.cli.terminal import console


def down() -> None:
    """End this user's `duet up`, with its broker and pools; what was waiting goes on when it is up again."""
    from pipeline.embedded.stack import end_duet_up

    if not end_duet_up():
        console.print("Duet is not up.")
        raise typer.Exit(1)
    console.print("Duet is down; what was waiting goes on when it is up again.")
