"""Interface of an output format."""

from typing import Protocol

from pipeline.types import Analysis, EpisodeResult, MergedTranscript


class Format(Protocol):
    """An output format of results."""

    file: str
    """The name of the file in the episode's folder."""

    def fits(self, result: EpisodeResult) -> bool:
        """Return whether the result has the content of this format."""
        ...

    def render(self, result: EpisodeResult) -> str:
        """Return the file's text."""
        ...


class TranscriptFormat:
    """A format of the transcript, available as soon as the Whisper leg ends."""

    file: str

    def fits(self, result: EpisodeResult) -> bool:
        """Return whether there is a transcript."""
        return result.transcript is not None

    def render(self, result: EpisodeResult) -> str:
        """Return the file's text."""
        if result.transcript is None:
            raise ValueError(f"{self.file} needs a transcript")
        return self.of(result.transcript)

    def of(self, transcript: MergedTranscript) -> str:
        """Return the transcript in this format."""
        raise NotImplementedError


class AnalysisFormat:
    """A format of the analysis."""

    file: str

    def fits(self, result: EpisodeResult) -> bool:
        """Return whether there is an analysis."""
        return result.analysis is not None

    def render(self, result: EpisodeResult) -> str:
        """Return the file's text."""
        if result.analysis is None:
            raise ValueError(f"{self.file} needs an analysis")
        return self.of(result.analysis, result)

    def of(self, analysis: Analysis, result: EpisodeResult) -> str:
        """Return the analysis in this format."""
        raise NotImplementedError
