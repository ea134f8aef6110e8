"""The fast leg's engine: an audio file in, a transcript out, window after window."""

import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass
from itertools import islice
from pathlib import Path
from typing import Any

import torch
from whisper.model import Whisper

from pipeline.types import Options, Segment, Transcript
from workers.audio import AudioFile
from workers.engines import Checkpoints, Report
from workers.whisper.ahead import ahead
from workers.whisper.hearing import Care, Listener
from workers.whisper.language import Language
from workers.whisper.precision import Precision, choose
from workers.whisper.windows import Cuts, Window, windows

FORMAT = 1
"""Goes into every checkpoint's key: what another version of the engine left is not read."""
FIRST_BATCH = 4  # fewer windows than later, so that the first text is out soon


@dataclass(frozen=True)
class Finished:
    """A window that is done."""

    window: Window
    key: str
    language: Language
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
        precision: Precision | None = None,
        batch_size: int | None = None,
        cuts: Cuts | None = None,
        care: Care | None = None,
    ) -> None:
        """Prepare the model's weights.

        Args:
            model: openai-whisper's model on the device where it is to run; it is not needed afterwards.
            name: its name, as written into results.
            precision: arithmetic; None chooses it by the device.
            batch_size: windows that are decoded together; None chooses it by the device.
            cuts: how windows are cut.
            care: how much is done to hear right.
        """
        self.model = name
        self.cuts = cuts or Cuts()
        self.listener = Listener(model, precision or choose(model.device), care or Care())
        self.batch_size = batch_size or (16 if model.device.type == "cuda" else 8)

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
        spoken: Language | None = None
        report(0.0, file.expected_s)
        stream = ahead(windows(file.blocks(), self.cuts), 2 * self.batch_size)
        for finished in self.finished(stream, options, checkpoints):
            if finished.segments:
                spoken = spoken or finished.language
            new = [segment.model_copy(update={"id": len(every) + i}) for i, segment in enumerate(finished.segments)]
            every += new
            if new and on_segments is not None:
                on_segments(new)
            report(finished.window.end_s, max(file.expected_s, file.decoded_s))
        report(file.decoded_s, file.decoded_s)
        spoken = spoken or Language(options.language or "und", 1.0 if options.language else 0.0)
        return Transcript(
            text="".join(segment.text for segment in every).strip(),
            language=spoken.code,
            language_probability=round(spoken.probability, 4),
            segments=tuple(every),
            audio_s=round(file.decoded_s, 3),
            expected_s=round(file.expected_s, 3),
            broken_frames=file.broken_frames,
            model=self.model,
        )

    def finished(
        self, stream: Iterable[Window], options: Options, checkpoints: Checkpoints | None = None
    ) -> Iterator[Finished]:
        """Yield the windows of a stream in order, each as soon as its batch is done.

        Args:
            stream: windows in the order of the episode.
            options: what a person asked for.
            checkpoints: asked for each window before it is decoded, and told of it afterwards.
        """
        settings = self.settings(options)
        language = Language(options.language, 1.0) if options.language else None
        waiting = iter(stream)
        size = min(FIRST_BATCH, self.batch_size)
        while batch := list(islice(waiting, size)):
            size = self.batch_size
            done: dict[str, Finished] = {}
            keys = [window.key(settings) for window in batch]
            for window, key in zip(batch, keys, strict=True):
                saved = checkpoints.load(key) if checkpoints else None
                if saved is not None:
                    done[key] = _resumed(window, key, saved)
                    language = language or done[key].language
            todo = [(window, key) for window, key in zip(batch, keys, strict=True) if key not in done]
            for result in self._hear(todo, language, options) if todo else ():
                done[result.key] = result
                language = result.language
                if checkpoints:
                    checkpoints.save(result.key, _to_save(result))
            yield from (done[key] for key in keys)

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

    def _hear(self, batch: list[tuple[Window, str]], language: Language | None, options: Options) -> list[Finished]:
        own = [window for window, _ in batch]
        try:
            features = self.listener.encode(own)
            language = language or self.listener.language(own, features)
            heard = self.listener.hear(own, features, self.listener.prompt(language.code, options))
        except torch.OutOfMemoryError:
            if len(batch) == 1:
                raise
            middle = len(batch) // 2
            self.batch_size = min(self.batch_size, middle)
            first = self._hear(batch[:middle], language, options)
            return first + self._hear(batch[middle:], first[0].language, options)
        return [
            Finished(window, key, language, tuple(segments), resumed=False)
            for (window, key), segments in zip(batch, heard, strict=True)
        ]


def _to_save(result: Finished) -> dict[str, Any]:
    return {
        "language": [result.language.code, result.language.probability],
        "segments": [segment.model_dump(mode="json") for segment in result.segments],
    }


def _resumed(window: Window, key: str, saved: dict[str, Any]) -> Finished:
    segments = tuple(Segment.model_validate(segment) for segment in saved["segments"])
    return Finished(window, key, Language(*saved["language"]), segments, resumed=True)
