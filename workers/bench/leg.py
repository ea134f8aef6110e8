"""One leg in a process of its own, as its pool is: `python -m workers.bench.leg whisper|voxtral`.

It loads its model and says so; then, for each path of an audio file that comes in, it works through the file and
says what that took. Each is one line of JSON.
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
    """Load, answer until nothing is asked any more."""
    try:
        said, run = {"whisper": load_whisper, "voxtral": load_voxtral}[leg]()
        _say(answers, said)
        for line in sys.stdin:
            _say(answers, run(Path(json.loads(line))))
    except DuetError as error:
        _say(answers, {"error": str(error)})


def load_whisper() -> tuple[dict[str, Any], Run]:
    """Return what the fast leg is, and what it does with a file."""
    from workers.whisper.loading import load_transcriber

    engine = load_transcriber(settings())
    return _loaded(engine), lambda audio: transcribe(engine, audio)


def load_voxtral() -> tuple[dict[str, Any], Run]:
    """Return what the slow leg is, or why there is none, and what it does with a file."""
    from workers.voxtral import Skipped, load_analyst

    engine = load_analyst(settings())
    if isinstance(engine, Skipped):
        return {"skipped": engine.reason}, lambda audio: {}
    return _loaded(engine), lambda audio: analyze(engine, audio)


def transcribe(engine: Transcriber, audio: Path) -> dict[str, Any]:
    """Transcribe a file; its first text is there when the first segments are."""
    began_s = time.monotonic()
    seen_s: list[float] = []
    transcript = engine.transcribe(
        audio, OPTIONS, _unheard, on_segments=lambda _: seen_s.append(time.monotonic() - began_s)
    )
    work_s = time.monotonic() - began_s
    return {"work_s": work_s, "first_text_s": seen_s[0] if seen_s else work_s, "audio_s": transcript.audio_s}


def analyze(engine: Analyst, audio: Path) -> dict[str, Any]:
    """Analyse a file; nothing of it can be read before all of it is there."""
    began_s = time.monotonic()
    engine.analyze(audio, OPTIONS, _unheard)
    work_s = time.monotonic() - began_s
    return {"work_s": work_s, "first_text_s": work_s}


def _unheard(done_s: float, all_s: float) -> None:
    pass  # nobody watches the progress of a benchmark


def _loaded(engine: Transcriber | Analyst) -> dict[str, Any]:
    return {"model": engine.model, "device": engine.device}


def _say(answers: IO[str], what: dict[str, Any]) -> None:
    answers.write(json.dumps(what) + "\n")
    answers.flush()


if __name__ == "__main__":
    # What libraries print must not come between the answers.
    own = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    main(sys.argv[1], own)
