"""The unmodified products of both models, and plain text."""

from pipeline.results.formats.base import AnalysisFormat, TranscriptFormat
from pipeline.results.paragraphs import paragraphs
from pipeline.types import Analysis, EpisodeResult, MergedTranscript


class WhisperJson(TranscriptFormat):
    """openai-whisper's JSON with words: Whisper's transcript, without Voxtral's alternatives."""

    file = "transcript.json"

    def of(self, transcript: MergedTranscript) -> str:
        """Return JSON; validates against `schemas/transcript.schema.json`."""
        return transcript.as_heard().to_json().decode()


class PlainText(TranscriptFormat):
    """Plain text in paragraphs."""

    file = "transcript.txt"

    def of(self, transcript: MergedTranscript) -> str:
        """Return the text with a blank line between paragraphs."""
        return "\n\n".join("".join(it.text for it in group).strip() for group in paragraphs(transcript)) + "\n"


class AnalysisJson(AnalysisFormat):
    """The analysis, with times."""

    file = "analysis.json"

    def of(self, analysis: Analysis, result: EpisodeResult) -> str:
        """Return JSON; validates against `schemas/analysis.schema.json`."""
        return analysis.to_json().decode()
