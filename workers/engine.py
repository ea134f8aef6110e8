"""The protocols of the engines, which are all that the tasks depend on."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from pipeline.results.first_words import FirstWords
from pipeline.types import (
    NO_CONTEXT,
    AlternativeTranscript,
    Analysis,
    Context,
    CustomAnswer,
    Diarization,
    Options,
    Segment,
    TimeSpan,
    Transcript,
)


@dataclass(frozen=True)
class Skipped:
    """The absence of an engine: `reason` is the cause and the remedy, `short` a few words such as `no GPU here`."""

    reason: str
    short: str = ""
    may_pass: bool = False
    """Whether the cause is temporary: an unreachable hub or bucket, or card memory in use by another process."""


Report = Callable[[float, float], None]
"""Called with the seconds of audio finished and the total seconds."""
SpokenChapter = tuple[float, Sequence[str]]
"""The start of a chapter in seconds, and the sentences said in it."""


class Checkpoints(Protocol):
    """Store of finished pieces of work. Each key is derived from the inputs, so every attempt computes the same key."""

    def load(self, key: str) -> dict[str, Any] | None:
        """Return the value saved under a key, or None."""
        ...

    def save(self, key: str, value: dict[str, Any]) -> None:
        """Store a JSON-serializable value."""
        ...


class EncodingStore(Protocol):
    """Store of the encoder's output for pieces of an episode's audio."""

    def load(self, key: str) -> bytes | None:
        """Return the encoding saved under a key, or None."""
        ...

    def save(self, key: str, data: bytes) -> None:
        """Store an encoding, for a while."""
        ...


class Transcriber(Protocol):
    """Transcribes audio with timestamps."""

    model: str
    """Name of the model, written into results."""
    digest: str
    """SHA-256 of the weights; empty if unknown."""
    device: str
    """Name of the device or server, written into results."""

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
            report: called after every batch; an exception that it raises ends the work.
            checkpoints: store of finished windows; None stores none.
            on_segments: called with new segments, in order, as soon as they are known.

        Raises:
            AudioError: the file has no decodable audio.
        """
        ...


class Analyst(Protocol):
    """Analyzes the content of audio."""

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
        context: Context = NO_CONTEXT,
    ) -> Analysis:
        """Return the analysis of a whole file, without chapters, whose boundaries are in the transcript.

        Args:
            audio: any audio or video file.
            options: the options of the job.
            report: called after every section.
            checkpoints: store of finished answers; None stores none.
            is_cancelled: called between tokens.
            context: the names of the episode, for their spelling only.

        Raises:
            AudioError: the file has no decodable audio.
            CancelledError: `is_cancelled` returned True.
        """
        ...

    def title_chapters(
        self,
        analysis: Analysis,
        chapters: Sequence[SpokenChapter],
        checkpoints: Checkpoints | None = None,
        is_cancelled: Callable[[], bool] | None = None,
    ) -> Analysis:
        """Return the analysis with chapters, each with a title of at most five words and a gist of one sentence.

        Args:
            analysis: the analysis of the episode.
            chapters: start in seconds and sentences of each chapter, in order.
            checkpoints: store of finished answers; None stores none.
            is_cancelled: called between tokens.

        Raises:
            CancelledError: `is_cancelled` returned True.
        """
        ...

    def name_speakers(
        self,
        analysis: Analysis,
        speakers: Sequence[FirstWords],
        checkpoints: Checkpoints | None = None,
        is_cancelled: Callable[[], bool] | None = None,
        context: Context = NO_CONTEXT,
    ) -> Analysis:
        """Return the analysis with the names of speakers that are said in their first sentences or just before them.

        Args:
            analysis: the analysis of the episode.
            speakers: the first sentences of each speaker.
            checkpoints: store of finished answers; None stores none.
            is_cancelled: called between tokens.
            context: the names of the episode, for their spelling only.

        Raises:
            CancelledError: `is_cancelled` returned True.
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
        """Return verbatim transcripts of some spans of a file.

        Args:
            audio: any audio or video file.
            stretches: spans of 30 s at most, in order.
            options: the options of the job.
            checkpoints: store of finished transcripts; None stores none.
            is_cancelled: called between tokens.

        Raises:
            AudioError: the file has no decodable audio.
            CancelledError: `is_cancelled` returned True.
        """
        ...

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
        """Return the answer to one question about a whole file, with sentences that say it, without times.

        Args:
            audio: any audio or video file.
            question: the listener's question.
            report: called after every batch of sections.
            encodings: store of the encoder's output for the audio, which all questions about it share.
            checkpoints: store of finished answers about sections; None stores none.
            is_cancelled: called between tokens.
            context: the names of the episode, for their spelling only.

        Raises:
            AudioError: the file has no decodable audio.
            CancelledError: `is_cancelled` returned True.
        """
        ...


class Diarizer(Protocol):
    """Tells the speakers of audio apart."""

    model: str
    digest: str
    device: str

    def diarize(
        self,
        audio: Path,
        report: Report,
        *,
        checkpoints: Checkpoints | None = None,
        least: int = 1,
        most: int | None = None,
    ) -> Diarization:
        """Return the speaker turns of a whole file, without names; no turns if nobody speaks.

        Args:
            audio: any audio or video file.
            report: called after every minute of audio or so; an exception that it raises ends the work.
            checkpoints: store of the voices of finished pieces; None stores none.
            least: smallest number of speakers.
            most: largest number of speakers; None for no limit of its own.

        Raises:
            AudioError: the file has no decodable audio.
        """
        ...
