"""The interface of an output format."""

from typing import Protocol

from pipeline.types import Analysis, EpisodeResult, MergedTranscript


class Format(Protocol):
    """Writes a result in one form."""

    file: str
    """The name of the file in the episode's folder."""

    def fits(self, result: EpisodeResult) -> bool:
        """Whether the result has what this form shows."""
        ...

    def render(self, result: EpisodeResult) -> str:
        """Return the file's text."""
        ...


class TranscriptFormat:
    """A form of the transcript; it can be written as soon as the fast leg ends."""

    file: str

    def fits(self, result: EpisodeResult) -> bool:
        """Whether there is a transcript."""
        return result.transcript is not None

    def render(self, result: EpisodeResult) -> str:
        """Return the file's text."""
        if result.transcript is None:
            raise ValueError(f"{self.file} needs a transcript")
        return self.of(result.transcript)

    def of(self, transcript: MergedTranscript) -> str:
        """Return the text of the transcript in this form."""
        raise NotImplementedError


class AnalysisFormat:
    """A form of what was understood."""

    file: str

    def fits(self, result: EpisodeResult) -> bool:
        """Whether there is an analysis."""
        return result.analysis is not None

    def render(self, result: EpisodeResult) -> str:
        """Return the file's text."""
        if result.analysis is None:
            raise ValueError(f"{self.file} needs an analysis")
        return self.of(result.analysis, result)

    def of(self, analysis: Analysis, result: EpisodeResult) -> str:
        """Return the text of the analysis in this form."""
        raise NotImplementedError
