"""A client that submits a folder's files in its own order and does not give up: `python -m tests.faults.client`."""

import os
import random
import sys
import time
from pathlib import Path

from pipeline import submit
from pipeline.errors import BrokerError

PAUSE_S = 0.2


def main(folder: Path, to: Path, seed: int) -> None:
    """Submit each file, again and again while the broker is away."""
    waiting = sorted(folder.iterdir())
    random.Random(seed).shuffle(waiting)
    while waiting:
        try:
            submit(waiting[-1], to=to, on_completed=os.environ.get("CLIENT_ON_COMPLETED"))
            waiting.pop()
        except BrokerError:
            time.sleep(PAUSE_S)


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3]))
