"""The two protocols that the tasks know of an engine, and nothing else."""

from collections.abc import Callable
from pathlib import Path
from typing import Protocol

from pipeline.types import Analysis, Options, Transcript

Report = Callable[[float, float], None]
"""Called with the seconds of audio done and the seconds in all."""


class Transcriber(Protocol):
    """Turns audio into text with times."""

    model: str
    """The model's name, as written into results."""

    def transcribe(self, audio: Path, options: Options, report: Report) -> Transcript:
        """Return the transcript of a whole file.

        Raises:
            AudioError: the file holds no audio that can be decoded.
        """
        ...


class Analyst(Protocol):
    """Listens to audio and says what was said in it."""

    model: str

    def analyze(self, audio: Path, options: Options, report: Report) -> Analysis:
        """Return the analysis of a whole file.

        Raises:
            AudioError: the file holds no audio that can be decoded.
        """
        ...
