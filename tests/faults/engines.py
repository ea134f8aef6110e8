"""A transcriber, an analyst and a diarizer that take no time, write down what they do, and die where they are told to.

Audio is any file. Each piece of work is a window of one second: begun, saved as a checkpoint, reported.
The folder `FAST_STAGE` steers them and holds their journal: `hold-<point>` is waited for until it is gone,
`die-<point>` ends the process (see `Stage.die`). A point is `<leg>.<file's stem>.<window>`.
"""

import json
import os
import resource
import signal
import time
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from celery.backends.redis import RedisBackend

from pipeline.errors import CancelledError, DeviceMemoryError, EngineError
from pipeline.results import publication
from pipeline.storage import Storage
from pipeline.types import (
    NO_CONTEXT,
    AlternativeTranscript,
    Analysis,
    Chapter,
    Context,
    CustomAnswer,
    Diarization,
    EpisodeResult,
    Leg,
    Options,
    Quote,
    Segment,
    SpeakerTurn,
    TimeSpan,
    Transcript,
)
from workers.engine import Checkpoints, EncodingStore, Report, Skipped, SpokenChapter

WINDOW_S = 1.0
POLL_S = 0.02
HOG_BYTES = 1 << 30
MACHINE_VARIABLE = "FAST_MACHINE"
"""Names the machine on which a worker is to be; loading there waits at the point `load.<machine>`."""


class Stage:
    """The folder between a test and the engines of its workers."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._journal = folder / "journal.jsonl"

    def write(self, event: str, leg: Leg, stem: str, window: int) -> None:
        """Add a line to the journal; lines of this size are written in one go, whoever else writes."""
        line = {"event": event, "leg": leg, "stem": stem, "window": window, "pid": os.getpid(), "at": time.time()}
        with self._journal.open("a") as journal:
            journal.write(json.dumps(line) + "\n")

    def journal(self) -> list[dict[str, Any]]:
        """Return what all engines did, in order."""
        return [json.loads(line) for line in self._journal.read_text().splitlines()] if self._journal.exists() else []

    def hold(self, point: str) -> Path:
        """Have the engines wait at a point until the returned file is removed."""
        return self._flag(f"hold-{point}", "")

    def die(self, point: str, how: str) -> Path:
        """Have the process end at a point: `once`, `always`, `worker` (parent too, once), `workers` (parent too,
        always), `hog` (by using up memory).

        With `fail` the process stays, and the engine says that it cannot; with `no memory`, that its device has
        no more, and with `no memory once`, that it has none now.
        """
        return self._flag(f"die-{point}", how)

    def switch_off_voxtral(self) -> Path:
        """Have there be no Voxtral until the returned file is removed."""
        return self._flag("off-voxtral", "")

    def switch_off_speakers(self) -> Path:
        """Have there be no diarizer until the returned file is removed."""
        return self._flag("off-speakers", "")

    def analyst(self, windows: int) -> "FastAnalyst | Skipped":
        """Return the analyst that there is now."""
        if (self.folder / "off-voxtral").exists():
            return Skipped("Voxtral was switched off by the test.")
        return FastAnalyst(self, windows)

    def diarizer(self, windows: int) -> "FastDiarizer | Skipped":
        """Return the diarizer that there is now."""
        if (self.folder / "off-speakers").exists():
            return Skipped("The diarizer was switched off by the test.")
        return FastDiarizer(self, windows)

    def reach(self, point: str, meanwhile: Callable[[], None]) -> None:
        """Be at a point: wait or die, if that is wanted."""
        flag = self.folder / f"die-{point}"
        if flag.exists():
            _end(flag)
        while (self.folder / f"hold-{point}").exists():
            meanwhile()
            time.sleep(POLL_S)

    def _flag(self, name: str, content: str) -> Path:
        path = self.folder / name
        path.with_suffix(".new").write_text(content)
        path.with_suffix(".new").rename(path)
        return path


def _end(flag: Path) -> None:
    how = flag.read_text()
    if how == "fail":
        raise EngineError("The engine was told to fail.")
    if how == "no memory once":
        flag.unlink()
    if how.startswith("no memory"):
        raise DeviceMemoryError("The device has no memory for 2 windows at once")
    if how == "hog":
        _use_up_memory()
    if how not in ("always", "workers"):
        flag.unlink()
    if how in ("worker", "workers"):
        os.kill(os.getppid(), signal.SIGKILL)
    os.kill(os.getpid(), signal.SIGKILL)


def _use_up_memory() -> None:
    """Do what the kernel does to a process that takes more than there is: kill it, in the midst of its taking."""
    resource.setrlimit(resource.RLIMIT_AS, (HOG_BYTES, HOG_BYTES))
    taken = []
    try:
        while True:
            taken.append(bytearray(64 << 20))
    except MemoryError:
        os.kill(os.getpid(), signal.SIGKILL)


class FastTranscriber:
    """Hears `Window 0. Window 1. ...` in any file."""

    model = "fast-transcriber"
    digest = ""
    device = "cpu"

    def __init__(self, stage: Stage, windows: int) -> None:
        self._stage = stage
        self._windows = windows

    def transcribe(
        self,
        audio: Path,
        options: Options,
        report: Report,
        *,
        checkpoints: Checkpoints | None = None,
        on_segments: Callable[[Sequence[Segment]], None] | None = None,
    ) -> Transcript:
        segments = []
        for window in _work(self._stage, "whisper", audio, self._windows, report, checkpoints):
            start_s = window * WINDOW_S
            logprob = -2.0 if audio.stem.startswith("doubtful") and window == 1 else 0.0
            text = f" Translated window {window}." if options.task == "translate" else f" Window {window}."
            segments.append(
                Segment(id=window, start_s=start_s, end_s=start_s + WINDOW_S, text=text, avg_logprob=logprob)
            )
            if on_segments:
                on_segments(segments[-1:])
        text = "".join(segment.text for segment in segments)
        return Transcript(
            text=text, language="en", segments=tuple(segments), audio_s=self._windows * WINDOW_S, model=self.model
        )


class FastAnalyst:
    """Sums up any file."""

    model = "fast-analyst"
    digest = ""
    device = "cpu"

    def __init__(self, stage: Stage, windows: int) -> None:
        self._stage = stage
        self._windows = windows

    def analyze(
        self,
        audio: Path,
        options: Options,
        report: Report,
        checkpoints: Checkpoints | None = None,
        is_cancelled: Callable[[], bool] | None = None,
        context: Context = NO_CONTEXT,
    ) -> Analysis:
        for _ in _work(self._stage, "voxtral", audio, self._windows, report, checkpoints):
            pass
        heard_s = self._windows * WINDOW_S
        return Analysis(source="voxtral", model=self.model, summary="Windows are counted.", heard_s=heard_s)

    def name_speakers(self, analysis: Analysis, *_: Any) -> Analysis:
        return analysis

    def title_chapters(
        self,
        analysis: Analysis,
        chapters: Sequence[SpokenChapter],
        checkpoints: Checkpoints | None = None,
        is_cancelled: Callable[[], bool] | None = None,
    ) -> Analysis:
        counted = tuple(Chapter(start_s=start_s, title=sentences[0]) for start_s, sentences in chapters)
        return analysis.model_copy(update={"chapters": counted, "chapters_source": "voxtral"})

    def transcribe(
        self,
        audio: Path,
        stretches: Sequence[TimeSpan],
        options: Options,
        checkpoints: Checkpoints | None = None,
        is_cancelled: Callable[[], bool] | None = None,
    ) -> tuple[AlternativeTranscript, ...]:
        def meanwhile() -> None:
            if is_cancelled and is_cancelled():
                raise CancelledError("It was cancelled.")

        self._stage.write("opinion", "voxtral", audio.stem, len(stretches))
        self._stage.reach(f"opinion.{audio.stem}", meanwhile)
        return tuple(
            AlternativeTranscript(start_s=it.start_s, end_s=it.end_s, segments=it.segments, text="Window one.")
            for it in stretches
        )

    def answer(
        self,
        audio: Path,
        question: str,
        report: Report,
        encodings: EncodingStore,
        checkpoints: Checkpoints | None = None,
        is_cancelled: Callable[[], bool] | None = None,
        context: Context = NO_CONTEXT,
    ) -> CustomAnswer:
        def meanwhile() -> None:
            if is_cancelled and is_cancelled():
                raise CancelledError("It was cancelled.")

        for window in range(self._windows):
            if checkpoints and checkpoints.load(str(window)):
                continue
            self._stage.write("question", "voxtral", audio.stem, window)
            self._stage.reach(f"question.{audio.stem}.{window}", meanwhile)
            meanwhile()
            if checkpoints:
                checkpoints.save(str(window), {"heard": window})
            report((window + 1) * WINDOW_S, self._windows * WINDOW_S)
        return CustomAnswer(question=question, answer="The second.", quotes=(Quote(text="Window 1."),))


class FastDiarizer:
    """Hears a speaker in each window of any file, two of them in turn."""

    model = "fast-diarizer"
    digest = ""
    device = "cpu"

    def __init__(self, stage: Stage, windows: int) -> None:
        self._stage = stage
        self._windows = windows

    def diarize(
        self,
        audio: Path,
        report: Report,
        *,
        checkpoints: Checkpoints | None = None,
        least: int = 1,
        most: int | None = None,
    ) -> Diarization:
        turns = tuple(
            SpeakerTurn(speaker=f"S{window % 2 + 1}", start_s=window * WINDOW_S, end_s=(window + 1) * WINDOW_S)
            for window in _work(self._stage, "speakers", audio, self._windows, report, checkpoints)
        )
        return Diarization(turns=turns, audio_s=self._windows * WINDOW_S, model=self.model)


def _work(
    stage: Stage, leg: Leg, audio: Path, windows: int, report: Report, checkpoints: Checkpoints | None
) -> Iterator[int]:
    stage.write("begin", leg, audio.stem, 0)
    total_s = windows * WINDOW_S + 1
    try:
        for window in range(windows):
            _window(stage, leg, audio.stem, window, partial(report, window * WINDOW_S, total_s), checkpoints)
            report((window + 1) * WINDOW_S, total_s)
            yield window
        stage.reach(f"{leg}.{audio.stem}.end", partial(report, windows * WINDOW_S, total_s))
    finally:
        stage.write("end", leg, audio.stem, 0)


def _window(
    stage: Stage, leg: Leg, stem: str, window: int, tell: Callable[[], None], checkpoints: Checkpoints | None
) -> None:
    if checkpoints and checkpoints.load(str(window)):
        return
    stage.write("window", leg, stem, window)
    stage.reach(f"{leg}.{stem}.{window}", tell)
    time.sleep(float(os.environ["FAST_WINDOW_S"]))
    if checkpoints:
        checkpoints.save(str(window), {"heard": window})
        stage.write("saved", leg, stem, window)


def _change_pool(pool: Any) -> None:
    """Make these the engines of a worker, and let it die at one more point: between storing and counting."""
    stage = Stage(Path(os.environ["FAST_STAGE"]))
    windows = int(os.environ["FAST_WINDOWS"])
    pool.transcriber = lambda: FastTranscriber(stage, windows)
    pool.analyst = lambda: stage.analyst(windows)
    pool.diarizer = lambda: stage.diarizer(windows)
    load = pool._load

    def load_when_allowed(name: str) -> Any:
        stage.reach(f"load.{os.environ.get(MACHINE_VARIABLE, '')}", lambda: None)
        return load(name)

    pool._load = load_when_allowed
    count_for_chord = RedisBackend.on_chord_part_return

    def on_chord_part_return(self: Any, request: Any, *args: Any, **kwargs: Any) -> Any:
        stage.reach(f"count.{request.id}", lambda: None)
        return count_for_chord(self, request, *args, **kwargs)

    RedisBackend.on_chord_part_return = on_chord_part_return


def _change_worker_registry(module: Any) -> None:
    """Have a worker be on a machine of its own, so that nobody can look at its processes."""
    if machine := os.environ.get(MACHINE_VARIABLE):
        module._place = lambda: machine


def _change_merge(_: Any) -> None:
    stage = Stage(Path(os.environ["FAST_STAGE"]))
    write = publication.write_manifest

    def write_manifest(result: EpisodeResult, storage: Storage, folder: str = "") -> None:
        stage.reach(f"manifest.{result.episode.slug}", lambda: None)
        write(result, storage, folder)

    publication.write_manifest = write_manifest  # type: ignore[attr-defined]  # what `publish` calls


CHANGES: dict[str, Callable[[Any], None]] = {
    "pipeline.state.worker_registry": _change_worker_registry,
    "workers.pool": _change_pool,
    "tasks.merge": _change_merge,
}
"""What is done to each module once it is loaded (`fast/sitecustomize.py`)."""
