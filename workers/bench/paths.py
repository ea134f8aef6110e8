"""Comparison of Duet's modes on the same audio: Whisper alone, Voxtral alone, sequential, and both legs in parallel.

Both legs run in processes like those of the pools. They load their models before the timing starts, and use the same
memory plan and device priority. The figures exclude queues, uploads, the merge and the second opinion.
"""

import json
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pipeline.errors import EngineError
from pipeline.messaging.commands import environment
from pipeline.types.job import MODEL_LEGS

STOP_S = 20.0


@dataclass(frozen=True)
class Way:
    """The figures of one mode, each the median of its rounds."""

    name: str
    work_s: float
    """Seconds from the start to the complete result."""
    first_text_s: float
    """Seconds from the start to the first text."""
    real_time_factor: float
    """Seconds of work per second of audio; 0.1 is ten times faster than real time."""
    cost_per_audio_hour: float | None
    """In the currency of the given price per machine hour; None without a price."""


@dataclass(frozen=True)
class Comparison:
    """The measured modes, and the reason if Voxtral was skipped."""

    audio_s: float
    whisper: dict[str, Any]
    """The fast leg's `model` and `device`."""
    voxtral: dict[str, Any]
    """The slow leg's `model` and `device`, or `skipped` with the reason."""
    ways: tuple[Way, ...]


class Leg:
    """The process of a leg."""

    def __init__(self, name: str, variables: Mapping[str, str]) -> None:
        self.name = name
        self._process = subprocess.Popen(
            [sys.executable, "-m", "workers.bench.leg", name],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env={**environment(name), **variables},
            start_new_session=True,
        )

    def begin(self, audio: Path) -> None:
        """Send a file to the process."""
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps(str(audio)) + "\n")
        self._process.stdin.flush()

    def answer(self) -> dict[str, Any]:
        """Return the next message; blocks until it arrives.

        Raises:
            EngineError: the process cannot load its model or read the audio, or has ended.
        """
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            status = self._process.wait()
            raise EngineError(f"The process of {self.name} ended with status {status}; see above for why.")
        message: dict[str, Any] = json.loads(line)
        if "error" in message:
            raise EngineError(message["error"])
        return message

    def work(self, audio: Path) -> dict[str, Any]:
        """Process a file, and return the figures."""
        self.begin(audio)
        return self.answer()

    def stop(self) -> None:
        """End the process; kills it after `STOP_S`."""
        assert self._process.stdin is not None
        self._process.stdin.close()
        try:
            self._process.wait(STOP_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()


def compare(
    audio: Path, rounds: int, price_per_hour: float | None, variables: Mapping[str, str], said: Callable[[str], None]
) -> Comparison:
    """Measure every available mode, round by round.

    Args:
        audio: an audio file; decoded in every run, as in a job.
        rounds: number of runs of each mode.
        price_per_hour: cost of an hour of this machine.
        variables: environment variables of the legs, including the broker's address.
        said: called with progress messages.

    Raises:
        EngineError: a required model is unavailable, or the audio cannot be read.
    """
    with _legs(variables) as (whisper, voxtral):
        said("Loading the models.")
        # Sequential, because each leg measures the free memory of the device.
        fast, slow = whisper.answer(), voxtral.answer()
        ways = _ways(whisper, voxtral) if "skipped" not in slow else {"whisper-only": whisper.work}
        said("Once without counting: the first run of anything is slow.")
        audio_s = whisper.work(audio)["audio_s"]
        if "skipped" not in slow:
            voxtral.work(audio)
        taken: dict[str, list[dict[str, Any]]] = {name: [] for name in ways}
        for number in range(rounds):
            for name, go in ways.items():
                said(f"Round {number + 1} of {rounds}: {name}.")
                taken[name].append(go(audio))
    found = tuple(_way(name, runs, audio_s, price_per_hour) for name, runs in taken.items())
    return Comparison(audio_s, fast, slow, found)


def _ways(whisper: Leg, voxtral: Leg) -> dict[str, Callable[[Path], dict[str, Any]]]:
    return {
        "whisper-only": whisper.work,
        "voxtral-only": voxtral.work,
        "one-after-the-other": lambda audio: _sequential(whisper, voxtral, audio),
        "hybrid": lambda audio: _parallel(whisper, voxtral, audio),
    }


def _sequential(whisper: Leg, voxtral: Leg, audio: Path) -> dict[str, Any]:
    began_s = time.monotonic()
    first_text_s = whisper.work(audio)["first_text_s"]
    voxtral.work(audio)
    return {"work_s": time.monotonic() - began_s, "first_text_s": first_text_s}


def _parallel(whisper: Leg, voxtral: Leg, audio: Path) -> dict[str, Any]:
    began_s = time.monotonic()
    whisper.begin(audio)
    voxtral.begin(audio)
    answers = [whisper.answer(), voxtral.answer()]
    return {"work_s": time.monotonic() - began_s, "first_text_s": min(answer["first_text_s"] for answer in answers)}


def _way(name: str, runs: list[dict[str, Any]], audio_s: float, price_per_hour: float | None) -> Way:
    work_s = statistics.median(run["work_s"] for run in runs)
    factor = work_s / audio_s
    return Way(
        name=name,
        work_s=work_s,
        first_text_s=statistics.median(run["first_text_s"] for run in runs),
        real_time_factor=factor,
        cost_per_audio_hour=None if price_per_hour is None else factor * price_per_hour,
    )


@contextmanager
def _legs(variables: Mapping[str, str]) -> Iterator[tuple[Leg, Leg]]:
    legs: list[Leg] = []
    try:
        for name in MODEL_LEGS:
            legs.append(Leg(name, variables))
        yield legs[0], legs[1]
    finally:
        for leg in legs:
            leg.stop()
