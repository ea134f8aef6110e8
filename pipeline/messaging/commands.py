"""Command lines and environment variables of worker pools and beat."""

import os
import socket
import sys
from pathlib import Path

from pipeline.settings import settings
from pipeline.types.pools import POOL_VARIABLE, POOLS

ARITHMETIC = {
    # Threads that spin while they wait starve the other pools: measured 4 to 6 times slower on two busy cores.
    # libgomp reads this once, before torch is imported.
    "OMP_WAIT_POLICY": "passive",
    # oneDNN, and torch's layer over it per thread, cache primitives for the last 1024 shapes by default. Batches
    # rarely share a shape, so memory would grow with the length of an episode.
    "ONEDNN_PRIMITIVE_CACHE_CAPACITY": "64",
    "LRU_CACHE_CAPACITY": "16",
}
"""Default environment variables of the numeric libraries; the user's own values win."""


def command(pool: str, extra: list[str] | None = None) -> list[str]:
    """Return the command line that runs a pool in the foreground.

    Prefork, because its parent process responds while the child works. Children are spawned, because they must
    not inherit a CUDA context.
    """
    return [
        sys.executable, "-m", "celery", "-A", "pipeline", "worker",
        "--queues", pool,
        "--hostname", f"{pool}@{socket.gethostname()}",
        "--concurrency", str(POOLS[pool]),
        "--pool", "prefork",
        "--loglevel", "INFO",
        "--without-gossip",
        "--without-mingle",
        *(extra or []),
    ]  # fmt: skip


def beat_command() -> list[str]:
    """Return the command line that runs beat in the foreground; its schedule file is in the state folder."""
    return [
        sys.executable, "-m", "celery", "-A", "pipeline", "beat",
        "--schedule", str(settings().state_dir.absolute() / "beat-schedule"),
        "--pidfile", "",
        "--loglevel", "WARNING",
    ]  # fmt: skip


def environment(pool: str = "") -> dict[str, str]:
    """Return the environment variables of a pool or of beat, with absolute paths.

    Pools run in another working directory, because a folder in the user's could shadow our packages, which have
    common names.
    """
    own = settings()
    return (
        ARITHMETIC
        | os.environ
        | {
            POOL_VARIABLE: pool,
            "PYTHONSAFEPATH": "1",
            "DUET_STATE_DIR": str(own.state_dir.absolute()),
            "DUET_CACHE_DIR": str(own.cache_dir.absolute()),
            "DUET_WHISPER_MODEL": _absolute(own.whisper_model),
            "DUET_VOXTRAL_MODEL": _absolute(own.voxtral_model),
            "DUET_INBOX": ",".join(map(_place, own.inbox)),
            "DUET_INBOX_TO": _place(own.inbox_to or ""),
        }
    )


def _absolute(model: str) -> str:
    path = Path(model).expanduser()
    return str(path.absolute()) if path.exists() else model


def _place(place: str) -> str:
    return place if not place or "://" in place else str(Path(place).expanduser().absolute())
