"""The command lines and the environment that worker pools and beat run with."""

import os
import socket
import sys
from pathlib import Path

from pipeline.settings import settings
from pipeline.types.pools import POOL_VARIABLE, POOLS

ARITHMETIC = {
    # Threads that spin while they wait take the cores from the other pools: measured 4 to 6 times slower on two
    # busy cores. libgomp reads this once, before torch is there.
    "OMP_WAIT_POLICY": "passive",
    # What was made for the last 1024 shapes is kept, by oneDNN and, for each thread, by torch's layer over it; no two
    # batches are of one shape, and a long episode's memory would grow with its length.
    "ONEDNN_PRIMITIVE_CACHE_CAPACITY": "64",
    "LRU_CACHE_CAPACITY": "16",
}
"""What the libraries that compute are told by the environment, where the person says nothing else."""


def command(pool: str, extra: list[str] | None = None) -> list[str]:
    """Return the command line that runs a pool in the foreground.

    Prefork because only its parent answers while the child is at work; spawned because a child must not
    inherit a CUDA context.
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
    """Return the command line that runs the clock in the foreground; what it remembers lies in the state folder."""
    return [
        sys.executable, "-m", "celery", "-A", "pipeline", "beat",
        "--schedule", str(settings().state_dir.absolute() / "beat-schedule"),
        "--pidfile", "",
        "--loglevel", "WARNING",
    ]  # fmt: skip


def environment(pool: str = "") -> dict[str, str]:
    """Return the environment that a pool, or the clock, runs in, with every path made absolute.

    The folder a person happens to stand in must not shadow our packages, whose names are plain words; so a
    pool runs elsewhere.
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
