"""Runs one leg in its own process, like a pool: `python -m workers.bench.leg whisper|voxtral`.

It loads the model and reports it. Then it reads paths of audio files, processes each file and reports the time taken.
Every message is one line of JSON.
"""

import json
import os
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import IO, Any

from pipeline.errors import DuetError
from pipeline.settings import settings
from pipeline.types import Options
from workers.engine import Analyst, Transcriber

Run = Callable[[Path], dict[str, Any]]
OPTIONS = Options(second_opinion="off")


def main(leg: str, answers: IO[str]) -> None:
    """Load the model, and answer requests until the end of standard input."""
    try:
        loaded, run = {"whisper": load_whisper, "voxtral": load_voxtral}[leg]()
        _write(answers, loaded)
        for line in sys.stdin:
            _write(answers, run(Path(json.loads(line))))
    except DuetError as error:
        _write(answers, {"error": str(error)})


def load_whisper() -> tuple[dict[str, Any], Run]:
    """Return the model and device of the fast leg, and its function for a file."""
    from workers.whisper.loading import load_transcriber

    engine = load_transcriber(settings())
    return _loaded(engine), lambda audio: transcribe(engine, audio)


def load_voxtral() -> tuple[dict[str, Any], Run]:
    """Return the model and device of the slow leg, or why it is skipped, and its function for a file."""
    from workers.voxtral import Skipped, load_analyst

    engine = load_analyst(settings())
    if isinstance(engine, Skipped):
        return {"skipped": engine.reason}, lambda audio: {}
    return _loaded(engine), lambda audio: analyze(engine, audio)


def transcribe(engine: Transcriber, audio: Path) -> dict[str, Any]:
    """Transcribe a file; the first text is available with the first segments."""
    began_s = time.monotonic()
    seen_s: list[float] = []
    transcript = engine.transcribe(
        audio, OPTIONS, _ignore_progress, on_segments=lambda _: seen_s.append(time.monotonic() - began_s)
    )
    work_s = time.monotonic() - began_s
    return {"work_s": work_s, "first_text_s": seen_s[0] if seen_s else work_s, "audio_s": transcript.audio_s}


def analyze(engine: Analyst, audio: Path) -> dict[str, Any]:
    """Analyze a file; the first text is available only at the end."""
    began_s = time.monotonic()
    engine.analyze(audio, OPTIONS, _ignore_progress)
    work_s = time.monotonic() - began_s
    return {"work_s": work_s, "first_text_s": work_s}


def _ignore_progress(done_s: float, all_s: float) -> None:
    pass  # a benchmark shows no progress


def _loaded(engine: Transcriber | Analyst) -> dict[str, Any]:
    return {"model": engine.model, "device": engine.device}


def _write(answers: IO[str], message: dict[str, Any]) -> None:
    answers.write(json.dumps(message) + "\n")
    answers.flush()


if __name__ == "__main__":
    # Output that libraries print must not mix with the answers.
    own = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    main(sys.argv[1], own)
