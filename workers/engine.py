"""The two protocols that the tasks know of an engine, and nothing else."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Protocol

from pipeline.types import AlternativeTranscript, Analysis, Options, Segment, TimeSpan, Transcript

Report = Callable[[float, float], None]
"""Called with the seconds of audio done and the seconds in all."""


class Checkpoints(Protocol):
    """Keeps finished pieces of work under names that any attempt derives again from what they depend on."""

    def load(self, key: str) -> dict[str, Any] | None:
        """Return what was saved under a key, or None."""
        ...

    def save(self, key: str, value: dict[str, Any]) -> None:
        """Keep a value that JSON can hold."""
        ...


class Transcriber(Protocol):
    """Turns audio into text with times."""

    model: str
    """The model's name, as written into results."""
    digest: str
    """SHA-256 of its weights; empty where that is not known."""
    device: str
    """Where it runs, as written into results."""

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
            report: is told of the seconds done after every batch; what it raises ends the work.
            checkpoints: where finished windows are kept; None keeps none.
            on_segments: is given the segments, in order, as soon as they are known.

        Raises:
            AudioError: the file holds no audio that can be decoded.
        """
        ...


class Analyst(Protocol):
    """Listens to audio and says what was said in it."""

    model: str
    digest: str
    device: str

    def analyze(
        self,
        audio: Path,
        options: Options,
        report: Report,
        checkpoints: Checkpoints | None = None,
        is_cancelled: Callable[[], bool] | None = None,
    ) -> Analysis:
        """Return the analysis of a whole file.

        Args:
            audio: any audio or video file.
            options: what a person asked for.
            report: is told of the seconds done after every section.
            checkpoints: where finished answers are kept; None keeps none.
            is_cancelled: asked between tokens.

        Raises:
            AudioError: the file holds no audio that can be decoded.
            CancelledError: `is_cancelled` said so.
        """
        ...

    def transcribe(
        self,
        audio: Path,
        stretches: Sequence[TimeSpan],
        options: Options,
        checkpoints: Checkpoints | None = None,
        is_cancelled: Callable[[], bool] | None = None,
    ) -> tuple[AlternativeTranscript, ...]:
        """Return what is said in some stretches of a file, word for word.

        Args:
            audio: any audio or video file.
            stretches: of 30 s at most, in order.
            options: what a person asked for.
            checkpoints: where finished readings are kept; None keeps none.
            is_cancelled: asked between tokens.

        Raises:
            AudioError: the file holds no audio that can be decoded.
            CancelledError: `is_cancelled` said so.
        """
        ...
