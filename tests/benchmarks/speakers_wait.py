"""How long a transcript waits for speakers that are being told apart in its pool.

    python -m tests.benchmarks.speakers_wait LONG.mp3 SHORT.mp3 [--rounds 3]

In each round the short episode is transcribed three times by the real pools: without speakers; with them, nothing else
running; and while the long episode's speakers are being told apart, which makes way for it.
"""

import argparse
import os
import statistics
import tempfile
import time
from pathlib import Path

from pipeline import Options, submit
from pipeline.embedded.stack import Stack
from pipeline.settings import settings
from pipeline.state.job_store import JobStore
from pipeline.state.pool_status import ready_pools
from pipeline.types import JobState

os.environ.setdefault("OMP_WAIT_POLICY", "passive")
TIMEOUT_S = 900.0
POLL_S = 0.05


def main() -> None:
    """Print the median seconds to the transcript for each way, and their ratio to the first."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("long", type=Path)
    parser.add_argument("short", type=Path)
    parser.add_argument("--rounds", type=int, default=3)
    asked = parser.parse_args()
    took: dict[str, list[float]] = {"without speakers": [], "with speakers": [], "while others are told apart": []}
    with tempfile.TemporaryDirectory() as folder:
        os.environ["DUET_STATE_DIR"] = f"{folder}/state"
        settings.cache_clear()
        with Stack("up") as stack:
            os.environ["DUET_BROKER_URL"] = stack.url
            settings.cache_clear()
            stack.start_pools()
            while "whisper" not in ready_pools():
                time.sleep(POLL_S)
            _transcript_s(asked.short, Path(folder) / "warm", Options())
            for number in range(asked.rounds):
                place = Path(folder) / str(number)
                took["without speakers"].append(_transcript_s(asked.short, place / "a", Options(speakers=False)))
                took["with speakers"].append(_transcript_s(asked.short, place / "b", Options()))
                _begin_speakers(asked.long, place / "long")
                took["while others are told apart"].append(_transcript_s(asked.short, place / "c", Options()))
    first = statistics.median(took["without speakers"])
    for way, seconds in took.items():
        median_s = statistics.median(seconds)
        print(f"{way:28} {median_s:6.2f} s  {median_s / first:5.2f}x  {[round(it, 2) for it in seconds]}")


def _transcript_s(audio: Path, place: Path, options: Options) -> float:
    """Return the seconds from the submission of an episode to its transcript, and wait for its end."""
    began_s = time.monotonic()
    job = submit(audio, place, options)
    job.transcript(timeout=TIMEOUT_S)
    seconds = time.monotonic() - began_s
    job.result(timeout=TIMEOUT_S)
    return seconds


def _begin_speakers(audio: Path, place: Path) -> None:
    """Submit an episode, and return when its speakers are being told apart."""
    job = submit(audio, place, Options())
    for record in JobStore().changes(job.id, TIMEOUT_S):
        if record and record.legs["speakers"].done_s > 0 and record.state is JobState.TRANSCRIBED:
            return
    raise TimeoutError(f"The speakers of {audio} were not begun in {TIMEOUT_S:g} s.")


if __name__ == "__main__":
    main()
