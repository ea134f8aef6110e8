"""`duet down`: the shutdown of `duet up`."""

import typer

from pipeline.cli.terminal import console


def down() -> None:
    """Stop this user's `duet up` with its broker and pools; waiting jobs resume with the next `duet up`."""
    from pipeline.embedded.stack import end_duet_up

    if not end_duet_up():
        console.print("Duet is not up.")
        raise typer.Exit(1)
    console.print("Duet is down; what was waiting goes on when it is up again.")
