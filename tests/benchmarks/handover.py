"""How much work is done again when workers are taken away: `python -m tests.benchmarks.handover`.

The engines are those of the fault tests: a window takes a tenth of a second and is a checkpoint.
"""

import random
import signal
import tempfile
import time
from pathlib import Path

from pipeline import Job
from tests.faults.fleet import TIMEOUT_S, Fleet, wait_until, windows

WINDOWS = 60
STOPS = 5
WARNINGS = {"SIGTERM": signal.SIGTERM, "SIGKILL": None}
"""What a worker gets before it is gone."""


def main() -> None:
    chance = random.Random(1)
    fleet = Fleet(Path(tempfile.mkdtemp(prefix="duet-handover-")), FAST_WINDOWS=str(WINDOWS), FAST_WINDOW_S="0.1")
    try:
        fleet.start_all()
        with fleet.client():
            for name, warning in WARNINGS.items():
                print(_line(fleet, name, warning, chance), flush=True)
    finally:
        fleet.stop()


def _line(fleet: Fleet, name: str, warning: signal.Signals | None, chance: random.Random) -> str:
    job = fleet.submit(name)
    gone_s = [_take_away(fleet, job, name, warning, chance) for _ in range(STOPS)]
    job.result(timeout=TIMEOUT_S * 2)
    worked = len(windows(fleet.stage, "whisper", name))
    again = f"{worked - WINDOWS} of {WINDOWS} windows done again ({(worked - WINDOWS) / WINDOWS:.1%})"
    return f"{name}: {STOPS} workers taken away, gone after {max(gone_s):.1f} s at most, {again}"


def _take_away(fleet: Fleet, job: Job, stem: str, warning: signal.Signals | None, chance: random.Random) -> float:
    """Take the worker away at any moment of its work, start another one, and return how long it took to go."""
    before = len(windows(fleet.stage, "whisper", stem))
    wait_until(lambda: len(windows(fleet.stage, "whisper", stem)) > before + 2, "it is at work")
    time.sleep(chance.uniform(0.0, 0.3))
    worker = fleet.processes["whisper"]
    asked_at = time.monotonic()
    if warning:
        worker.send(warning)
        worker.wait()
    else:
        worker.kill()
    gone_s = time.monotonic() - asked_at
    worker.start()
    return gone_s


if __name__ == "__main__":
    main()
