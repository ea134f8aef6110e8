"""`duet worker`: one pool in the foreground."""

import os
from enum import StrEnum
from typing import Annotated

import typer


class Pool(StrEnum):
    """The worker pools, as arguments of the command line."""

    WHISPER = "whisper"
    VOXTRAL = "voxtral"
    CPU = "cpu"


def worker(pool: Annotated[Pool, typer.Argument(help="Pool to run on this machine.")]) -> None:
    """Run one pool in the foreground, on the broker of DUET_BROKER_URL."""
    from pipeline.messaging.commands import command, environment
    from pipeline.settings import settings
    from pipeline.state.redis import state_url

    state_url()
    settings().state_dir.mkdir(parents=True, exist_ok=True)
    os.chdir(settings().state_dir)
    argv = command(pool.value)
    os.execvpe(argv[0], argv, environment(pool.value))
