"""The products of the models, and plain text."""

from collections.abc import Iterator

from pipeline.results.formats.base import AnalysisFormat, TranscriptFormat
from pipeline.results.manifest import SPEAKERS
from pipeline.results.paragraphs import paragraphs
from pipeline.types import Analysis, Diarization, EpisodeResult, MergedTranscript
from pipeline.types.text import one_line


class WhisperJson(TranscriptFormat):
    """openai-whisper's JSON with words: Whisper's transcript, without Voxtral's alternatives."""

    file = "transcript.json"

    def of(self, transcript: MergedTranscript) -> str:
        """Return JSON; validates against `schemas/transcript.schema.json`."""
        return transcript.as_heard().to_json().decode()


class PlainText(TranscriptFormat):
    """Plain text in paragraphs; in a dialogue, a turn begins with its speaker's name."""

    file = "transcript.txt"

    def of(self, transcript: MergedTranscript) -> str:
        """Return the text with a blank line between paragraphs."""
        return "\n\n".join(_labelled_paragraphs(transcript)) + "\n"


class SpeakersJson:
    """The speakers and their turns, as the merge has numbered and named them."""

    file = SPEAKERS

    def fits(self, result: EpisodeResult) -> bool:
        """Return whether the speakers of a transcript were told apart."""
        leg = result.legs.get("speakers")
        return result.transcript is not None and leg is not None and leg.status == "ok"

    def render(self, result: EpisodeResult) -> str:
        """Return JSON without the voices; validates against `schemas/speakers.schema.json`."""
        leg, transcript = result.legs.get("speakers"), result.transcript
        if leg is None or transcript is None:
            raise ValueError(f"{self.file} needs a transcript whose speakers were told apart")
        found = Diarization(
            turns=transcript.turns,
            speakers=transcript.speakers,
            audio_s=transcript.audio_s if leg.audio_s is None else leg.audio_s,
            model=leg.model,
        )
        return found.to_json().decode()


class AnalysisJson(AnalysisFormat):
    """The analysis, with times."""

    file = "analysis.json"

    def of(self, analysis: Analysis, result: EpisodeResult) -> str:
        """Return JSON; validates against `schemas/analysis.schema.json`."""
        return analysis.to_json().decode()


def _labelled_paragraphs(transcript: MergedTranscript) -> Iterator[str]:
    labels = transcript.labels
    speaker = None
    for group in paragraphs(transcript):
        text = one_line("".join(segment.text for segment in group))
        label = labels.get(group[0].speaker or "") if group[0].speaker != speaker else None
        speaker = group[0].speaker
        yield f"{label}: {text}" if label else text
