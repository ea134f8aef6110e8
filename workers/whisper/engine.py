"""The fast leg's engine: an audio file in, a transcript out, window after window."""

import json
from collections.abc import Callable, Generator, Iterable, Sequence
from contextlib import closing
from dataclasses import asdict, dataclass
from itertools import islice
from pathlib import Path
from typing import Any

from whisper.model import Whisper

from pipeline.types import Options, Segment, Transcript
from workers.audio.audio_file import AudioFile
from workers.device import described
from workers.engine import Checkpoints, Report
from workers.memory import heap
from workers.memory.batch_limit import Room, is_out_of_memory
from workers.memory.device_priority import NoTurns, Turns
from workers.precision import Precision, choose
from workers.whisper.batch_transcriber import Care, Listener
from workers.whisper.inference.parallel import parallel_batches_of, prefetch, run_parallel, split_evenly
from workers.whisper.language import Language, Vote, longest
from workers.whisper.windows import Cuts, Window, windows

FORMAT = 2
"""Goes into every checkpoint's key: what another version of the engine left is not read."""
FIRST_BATCHES = (1, 4)
"""Windows in the first batches: fewer than later, so that the first text is out soon."""


@dataclass(frozen=True)
class Finished:
    """A window that is done."""

    window: Window
    key: str
    language: Language
    """In which it was heard."""
    detected: Language | None
    """What it seemed to be in by itself, where that was asked."""
    segments: tuple[Segment, ...]
    """Numbered from 0 within the window; times in the episode."""
    resumed: bool
    """Whether it was read from a checkpoint."""


class WhisperEngine:
    """Transcribes audio files with one Whisper model on one device."""

    def __init__(
        self,
        model: Whisper,
        name: str,
        *,
        digest: str = "",
        precision: Precision | None = None,
        batch_size: int | None = None,
        cuts: Cuts | None = None,
        care: Care | None = None,
        turns: Turns | NoTurns | None = None,
    ) -> None:
        """Prepare the model's weights.

        Args:
            model: openai-whisper's model on the device where it is to run; it is not needed afterwards.
            name: its name, as written into results.
            digest: SHA-256 of its weights, as written into results.
            precision: arithmetic; None chooses it by the device.
            batch_size: windows that are decoded together; None chooses it by the device.
            cuts: how windows are cut.
            care: how much is done to hear right.
            turns: who else works on the device; None: nobody.
        """
        self.model = name
        self.digest = digest
        self.device = described(model.device)
        self.cuts = cuts or Cuts()
        self.listener = Listener(model, precision or choose(model.device), care or Care())
        self.room = Room(batch_size or (16 if model.device.type == "cuda" else 8))
        self.parallel_batches = parallel_batches_of(model.device)
        self.turns = turns or NoTurns()

    def transcribe(
        self,
        audio: Path,
        options: Options,
        report: Report,
        *,
        checkpoints: Checkpoints | None = None,
        on_segments: Callable[[Sequence[Segment]], None] | None = None,
    ) -> Transcript:
        """Return the transcript of a whole file.

        Args:
            audio: any audio or video file.
            options: what a person asked for.
            report: is told of the seconds done after every batch.
            checkpoints: where finished windows are kept; None keeps none.
            on_segments: is given the segments, in order, as soon as they are known.

        Raises:
            AudioError: the file holds no audio that can be decoded.
        """
        file = AudioFile(audio)
        every: list[Segment] = []
        speech: list[tuple[float, float]] = []
        heard: list[tuple[Language, float]] = []
        report(0.0, file.expected_s)
        stream = prefetch(windows(file.blocks(), self.cuts), 2 * self.room.size)
        with closing(stream), closing(self.finished(stream, options, checkpoints)) as results:
            for finished in results:
                speech += finished.window.speech()
                if finished.segments:
                    heard.append((finished.language, finished.window.length_s))
                new = [segment.model_copy(update={"id": len(every) + i}) for i, segment in enumerate(finished.segments)]
                every += new
                if new and on_segments is not None:
                    on_segments(new)
                report(finished.window.end_s, max(file.expected_s, file.decoded_s))
        report(file.decoded_s, file.decoded_s)
        spoken = longest(heard) if heard else Language(options.language or "und", 1.0 if options.language else 0.0)
        return Transcript(
            text="".join(segment.text for segment in every).strip(),
            language=spoken.code,
            language_probability=round(spoken.probability, 4),
            segments=tuple(every),
            audio_s=round(file.decoded_s, 3),
            expected_s=round(file.expected_s, 3),
            speech=tuple(speech),
            broken_frames=file.broken_frames,
            model=self.model,
        )

    def finished(
        self, stream: Iterable[Window], options: Options, checkpoints: Checkpoints | None = None
    ) -> Generator[Finished]:
        """Yield the windows of a stream in order, each as soon as its batch is done.

        Args:
            stream: windows in the order of the episode.
            options: what a person asked for.
            checkpoints: asked for each window before it is decoded, and told of it afterwards.
        """
        waiting, vote, settings = iter(stream), Vote(options), self.settings(options)

        def finish(batch: list[Window]) -> list[Finished]:
            return self._finish(batch, vote, settings, options, checkpoints)

        for size in FIRST_BATCHES:
            yield from finish(list(islice(waiting, min(size, self.room.size))))
            if vote.is_settled:
                break
        batches = split_evenly(waiting, self.parallel_batches, lambda: self.room.size)
        with closing(run_parallel(finish, batches, self.parallel_batches)) as results:
            for done in results:
                yield from done

    def _finish(
        self, batch: list[Window], vote: Vote, settings: str, options: Options, checkpoints: Checkpoints | None
    ) -> list[Finished]:
        """Return a batch's results, read from checkpoints where they are there."""
        done: dict[str, Finished] = {}
        keys = [window.key(settings) for window in batch]
        for window, key in zip(batch, keys, strict=True):
            saved = checkpoints.load(key) if checkpoints else None
            if saved is not None:
                done[key] = _resumed(window, key, saved)
                vote.add(done[key].detected, window.length_s)
        todo = [(window, key) for window, key in zip(batch, keys, strict=True) if key not in done]
        if todo:
            with self.turns.first():
                heard = self._hear(todo, vote, options)
            heap.give_back()
            for result in heard:
                done[result.key] = result
                if checkpoints:
                    checkpoints.save(result.key, _to_save(result))
        return [done[key] for key in keys]

    def settings(self, options: Options) -> str:
        """Return what the result of a window depends on besides its audio, as JSON."""
        return json.dumps(
            {
                "format": FORMAT,
                "model": self.model,
                "precision": self.listener.precision.name,
                "care": asdict(self.listener.care),
                "options": options.model_dump(mode="json"),
            },
            sort_keys=True,
        )

    def _hear(self, batch: list[tuple[Window, str]], vote: Vote, options: Options) -> list[Finished]:
        own = [window for window, _ in batch]
        fitting = self._fitting(own, vote, options)
        if fitting is None:
            middle = self.room.half_of(len(batch), "windows")
            return self._hear(batch[:middle], vote, options) + self._hear(batch[middle:], vote, options)
        self.room.worked()
        spoken, detected, heard = fitting
        return [
            Finished(window, key, language, one, tuple(segments), resumed=False)
            for (window, key), language, one, segments in zip(batch, spoken, detected, heard, strict=True)
        ]

    def _fitting(
        self, batch: list[Window], vote: Vote, options: Options
    ) -> tuple[Sequence[Language], Sequence[Language | None], Sequence[list[Segment]]] | None:
        """Return each window's language, what was detected of it, and its segments; None where memory ran out."""
        try:
            memory = self.listener.remember(batch)
            detected = self.listener.languages(batch, memory) if vote.is_open else [None] * len(batch)
            for window, one in zip(batch, detected, strict=True):
                vote.add(one, window.length_s)
            spoken = [vote.language_of(one) for one in detected]
            return spoken, detected, self.listener.hear(batch, memory, [one.code for one in spoken], options)
        except RuntimeError as error:
            if is_out_of_memory(error):
                return None  # with the error goes its traceback, which keeps what did not fit alive
            raise


def _to_save(result: Finished) -> dict[str, Any]:
    return {
        "language": asdict(result.language),
        "detected": asdict(result.detected) if result.detected else None,
        "segments": [segment.model_dump(mode="json") for segment in result.segments],
    }


def _resumed(window: Window, key: str, saved: dict[str, Any]) -> Finished:
    segments = tuple(Segment.model_validate(segment) for segment in saved["segments"])
    detected = Language(**saved["detected"]) if saved["detected"] else None
    return Finished(window, key, Language(**saved["language"]), detected, segments, resumed=True)
