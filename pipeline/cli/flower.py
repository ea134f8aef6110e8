"""`duet flower`: Flower in the foreground."""

import os
from typing import Annotated

import typer


def flower(
    address: Annotated[str, typer.Option(help="Address to listen on; 0.0.0.0 for other machines.")] = "127.0.0.1",
    port: Annotated[int | None, typer.Option(min=1, max=65535, help="Port; DUET_FLOWER_PORT by default.")] = None,
) -> None:
    """Show queues, pools and every task in the browser until Ctrl-C.

    DUET_FLOWER_AUTH is the password. The broker is that of DUET_BROKER_URL or of a running `duet up`.
    """
    from pipeline.messaging.commands import environment
    from pipeline.monitoring.flower import launch
    from pipeline.settings import settings
    from pipeline.state.redis import broker_url

    broker_url()
    port = port or settings().flower_port
    launch.check(address, port)
    settings().state_dir.mkdir(parents=True, exist_ok=True)
    os.chdir(settings().state_dir)
    argv = launch.command(address, port)
    os.execvpe(argv[0], argv, environment())
