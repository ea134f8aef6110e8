"""`duet up`: the embedded stack in the foreground."""

import time
from typing import Annotated

import typer

from pipeline.cli.terminal import TICK_S, console, interruptible


def up(
    with_flower: Annotated[
        bool | None,
        typer.Option("--flower/--no-flower", help="Run Flower; on by default if DUET_FLOWER_AUTH is set."),
    ] = None,
) -> None:
    """Run the embedded stack until Ctrl-C: Valkey, the pools, beat, and Flower if it has a password."""
    from pipeline.embedded.stack import LOOPBACK, Stack
    from pipeline.monitoring.flower import launch
    from pipeline.settings import settings

    port = settings().flower_port
    is_shown = settings().flower_auth is not None if with_flower is None else with_flower
    if is_shown:
        launch.check(LOOPBACK, port)
    with interruptible("Duet is down; what was waiting goes on when it is up again.", 0), Stack("up") as stack:
        stack.start_pools()
        if is_shown:
            stack.start("flower", launch.command(LOOPBACK, port))
        console.print("Duet is up; Ctrl-C ends it. Submit work with `duet submit`, submit() or `duet serve`.")
        console.print(f"Broker {stack.url}, logs in {stack.children.logs}", soft_wrap=True)
        seen_at = f"http://{LOOPBACK}:{port}" if is_shown else "off; DUET_FLOWER_AUTH=user:password shows it"
        console.print(f"Flower {seen_at}", soft_wrap=True, highlight=False)
        while True:
            stack.restart_ended()
            time.sleep(TICK_S)
