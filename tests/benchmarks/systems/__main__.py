"""Prepares every system: `python -m tests.benchmarks.systems [NAME,...]`; a line each, with the reason why not."""

import sys

from tests.benchmarks.systems.environments import NotReady
from tests.benchmarks.systems.process import Process
from tests.benchmarks.systems.registry import SYSTEMS
from workers.weights.whisper import whisper_checkpoint


def main() -> int:
    """Load each system once, and return 1 if one cannot run here."""
    names = sys.argv[1].split(",") if len(sys.argv) > 1 else list(SYSTEMS)
    failed = 0
    for name in names:
        try:
            with Process(name, whisper_checkpoint("base"), threads=2):
                print(f"{name:24} ready", flush=True)
        except NotReady as reason:
            failed = 1
            print(f"{name:24} not ready: {reason}", flush=True)
    return failed


if __name__ == "__main__":
    sys.exit(main())
