"""The conversation of the benchmark with a system's process, in lines of JSON.

    python -m MODULE NAME WEIGHTS THREADS

The process loads the system NAME, says `{}`, and then answers each `{"audio": PATH}`, a WAV file of 16 kHz, mono and
16 bits, with its text and figures. Only the standard library is imported, because any environment imports this module.
"""

import json
import os
import sys
import time
import wave
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from tests.benchmarks.resident_memory import peak_mb

SAMPLE_RATE_HZ = 16_000


@dataclass(frozen=True)
class Heard:
    """The text of an audio file, and what came with it."""

    text: str
    first_text_s: float | None = None
    """Seconds from the call until a caller could read the first text; None if all of it comes at the end."""
    has_words: bool = False
    """Whether each word has its times."""


Transcribe = Callable[[Path], Heard]
Load = Callable[[Path, int], Transcribe]
"""A function from the weights' path and a number of threads to a loaded system."""


def serve(loads: Mapping[str, Load]) -> None:
    """Load the system named on the command line and answer until the input ends."""
    name, weights, threads = sys.argv[1:]
    # Libraries print to standard output; the answers go to a copy of it that they do not know.
    with os.fdopen(os.dup(1), "w") as answers:
        os.dup2(2, 1)
        transcribe = loads[name](Path(weights), int(threads))
        _say(answers, {})
        for line in sys.stdin:
            began = time.perf_counter()
            heard = transcribe(Path(json.loads(line)["audio"]))
            seconds = time.perf_counter() - began
            _say(answers, asdict(heard) | {"seconds": seconds, "peak_mb": peak_mb()})


def pcm(audio: Path) -> bytes:
    """Return the samples of a WAV file, 16-bit little-endian."""
    with wave.open(str(audio), "rb") as file:
        assert (file.getframerate(), file.getnchannels(), file.getsampwidth()) == (SAMPLE_RATE_HZ, 1, 2)
        return file.readframes(file.getnframes())


def _say(answers: Any, answer: dict[str, Any]) -> None:
    answers.write(json.dumps(answer) + "\n")
    answers.flush()
