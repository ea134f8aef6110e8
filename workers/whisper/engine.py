"""The Whisper engine of the fast leg, which transcribes an audio file window by window."""

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
from workers.memory.batch_limit import BatchLimit, is_out_of_memory
from workers.memory.device_priority import DevicePriority, NoDevicePriority
from workers.precision import Precision, choose
from workers.whisper.batch_transcriber import BatchTranscriber, DecodingOptions
from workers.whisper.inference.parallel import parallel_batches_of, prefetch, run_parallel, split_evenly
from workers.whisper.language import Language, LanguageDetector, check_known, longest
from workers.whisper.windows import Window, WindowingOptions, windows

FORMAT = 2
"""Version of the checkpoints, part of every key; checkpoints of other versions are ignored."""
FIRST_BATCHES = (1, 4)
"""Windows in the first batches, fewer than later so that the first text is published early."""


@dataclass(frozen=True)
class FinishedWindow:
    """A window with its transcription."""

    window: Window
    key: str
    language: Language
    """Language in which the window was transcribed."""
    detected: Language | None
    """Language detected in the window itself; None if it was not analyzed."""
    segments: tuple[Segment, ...]
    """Segments numbered from 0 within the window, with times in the episode."""
    resumed: bool
    """Whether the result was loaded from a checkpoint."""


class WhisperEngine:
    """A transcriber of audio files with one Whisper model on one device."""

    def __init__(
        self,
        model: Whisper,
        name: str,
        *,
        digest: str = "",
        precision: Precision | None = None,
        batch_size: int | None = None,
        windowing: WindowingOptions | None = None,
        decoding_options: DecodingOptions | None = None,
        priority: DevicePriority | NoDevicePriority | None = None,
    ) -> None:
        """Prepare the model's weights.

        Args:
            model: openai-whisper's model on the target device; not needed after construction.
            name: name of the model, written into results.
            digest: SHA-256 of the weights, written into results.
            precision: numeric precision; None selects it by the device.
            batch_size: windows decoded together; None selects it by the device.
            windowing: options of speech detection and windowing.
            decoding_options: accuracy against speed.
            priority: priority on a shared device; None for exclusive use.
        """
        self.model = name
        self.digest = digest
        self.device = described(model.device)
        self.windowing = windowing or WindowingOptions()
        self.transcriber = BatchTranscriber(
            model, precision or choose(model.device), decoding_options or DecodingOptions()
        )
        self.batch_limit = BatchLimit(batch_size or (16 if model.device.type == "cuda" else 8))
        self.parallel_batches = parallel_batches_of(model.device)
        self.priority = priority or NoDevicePriority()

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
            options: the options of the job.
            report: called with the finished seconds after every batch.
            checkpoints: store of finished windows; None stores none.
            on_segments: called with new segments, in order, as soon as they are known.

        Raises:
            AudioError: the file has no decodable audio.
            EngineError: the model does not know the language that was asked for.
        """
        check_known(options.language, self.model, self.transcriber.language_codes)
        file = AudioFile(audio)
        every: list[Segment] = []
        speech: list[tuple[float, float]] = []
        seen: list[tuple[Language, float]] = []
        report(0.0, file.expected_s)
        stream = prefetch(windows(file.blocks(), self.windowing), 2 * self.batch_limit.size)
        with closing(stream), closing(self.finished(stream, options, checkpoints)) as results:
            for finished in results:
                speech += finished.window.speech()
                if finished.segments:
                    seen.append((finished.language, finished.window.length_s))
                new = [segment.model_copy(update={"id": len(every) + i}) for i, segment in enumerate(finished.segments)]
                every += new
                if new and on_segments is not None:
                    on_segments(new)
                report(finished.window.end_s, max(file.expected_s, file.decoded_s))
        report(file.decoded_s, file.decoded_s)
        spoken = longest(seen) if seen else Language(options.language or "und", 1.0 if options.language else 0.0)
        return Transcript(
            text="".join(segment.text for segment in every).strip(),
            language=spoken.code,
            language_probability=round(spoken.probability, 4),
            segments=tuple(every),
            audio_s=round(file.decoded_s, 3),
            expected_s=round(file.expected_s, 3),
            speech=tuple(speech),
            broken_frames=file.broken_frames,
            track=file.track,
            tracks=file.tracks,
            tags=file.tags,
            model=self.model,
        )

    def finished(
        self, stream: Iterable[Window], options: Options, checkpoints: Checkpoints | None = None
    ) -> Generator[FinishedWindow]:
        """Yield the finished windows of a stream in order, each as soon as its batch is done.

        Args:
            stream: windows in the order of the episode.
            options: the options of the job.
            checkpoints: read before a window is decoded, and written afterwards.
        """
        waiting, detector, settings = iter(stream), LanguageDetector(options), self.settings(options)

        def finish(batch: list[Window]) -> list[FinishedWindow]:
            return self._finish(batch, detector, settings, options, checkpoints)

        for size in FIRST_BATCHES:
            yield from finish(list(islice(waiting, min(size, self.batch_limit.size))))
            if detector.is_settled:
                break
        batches = split_evenly(waiting, self.parallel_batches, lambda: self.batch_limit.size)
        with closing(run_parallel(finish, batches, self.parallel_batches)) as results:
            for done in results:
                yield from done

    def _finish(
        self,
        batch: list[Window],
        detector: LanguageDetector,
        settings: str,
        options: Options,
        checkpoints: Checkpoints | None,
    ) -> list[FinishedWindow]:
        """Return a batch's results; those in checkpoints are loaded instead of computed."""
        done: dict[str, FinishedWindow] = {}
        keys = [window.key(settings) for window in batch]
        for window, key in zip(batch, keys, strict=True):
            saved = checkpoints.load(key) if checkpoints else None
            if saved is not None:
                done[key] = _from_checkpoint(window, key, saved)
                detector.add(done[key].detected, window.length_s)
        todo = [(window, key) for window, key in zip(batch, keys, strict=True) if key not in done]
        if todo:
            with self.priority.hold():
                results = self._hear(todo, detector, options)
            heap.release_free_pages()
            for result in results:
                done[result.key] = result
                if checkpoints:
                    checkpoints.save(result.key, _to_checkpoint(result))
        return [done[key] for key in keys]

    def settings(self, options: Options) -> str:
        """Return the settings that determine a window's result besides its audio, as JSON."""
        return json.dumps(
            {
                "format": FORMAT,
                "model": self.model,
                "precision": self.transcriber.precision.name,
                "care": asdict(self.transcriber.decoding_options),
                "options": options.model_dump(mode="json"),
            },
            sort_keys=True,
        )

    def _hear(
        self, batch: list[tuple[Window, str]], detector: LanguageDetector, options: Options
    ) -> list[FinishedWindow]:
        own = [window for window, _ in batch]
        result = self._try_transcribe(own, detector, options)
        if result is None:
            middle = self.batch_limit.halve(len(batch), "windows")
            return self._hear(batch[:middle], detector, options) + self._hear(batch[middle:], detector, options)
        self.batch_limit.reset_failures()
        spoken, detected, transcribed = result
        return [
            FinishedWindow(window, key, language, one, tuple(segments), resumed=False)
            for (window, key), language, one, segments in zip(batch, spoken, detected, transcribed, strict=True)
        ]

    def _try_transcribe(
        self, batch: list[Window], detector: LanguageDetector, options: Options
    ) -> tuple[Sequence[Language], Sequence[Language | None], Sequence[list[Segment]]] | None:
        """Return each window's language, its detected language and its segments; None if memory ran out."""
        try:
            state = self.transcriber.start_batch(batch)
            detected = self.transcriber.languages(batch, state) if detector.is_undecided else [None] * len(batch)
            for window, one in zip(batch, detected, strict=True):
                detector.add(one, window.length_s)
            spoken = [detector.language_of(one) for one in detected]
            segments = self.transcriber.transcribe_batch(batch, state, [one.code for one in spoken], options)
            return spoken, detected, segments
        except RuntimeError as error:
            if is_out_of_memory(error):
                return None  # outside the handler the traceback is freed, which references the tensors
            raise


def _to_checkpoint(result: FinishedWindow) -> dict[str, Any]:
    return {
        "language": asdict(result.language),
        "detected": asdict(result.detected) if result.detected else None,
        "segments": [segment.model_dump(mode="json") for segment in result.segments],
    }


def _from_checkpoint(window: Window, key: str, saved: dict[str, Any]) -> FinishedWindow:
    segments = tuple(Segment.model_validate(segment) for segment in saved["segments"])
    detected = Language(**saved["detected"]) if saved["detected"] else None
    return FinishedWindow(window, key, Language(**saved["language"]), detected, segments, resumed=True)
