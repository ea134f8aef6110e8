"""Caption files: SubRip, WebVTT and TSV."""

from pipeline.results.captions import captions
from pipeline.results.formats.base import TranscriptFormat
from pipeline.types import MergedTranscript
from pipeline.types.time_format import timestamp


class SubRip(TranscriptFormat):
    """SRT captions."""

    file = "transcript.srt"

    def of(self, transcript: MergedTranscript) -> str:
        """Return numbered captions."""
        return "\n".join(
            f"{number}\n{timestamp(caption.start_ms, ',')} --> {timestamp(caption.end_ms, ',')}\n{caption.text}\n"
            for number, caption in enumerate(captions(transcript), start=1)
        )


class WebVtt(TranscriptFormat):
    """WebVTT captions (https://www.w3.org/TR/webvtt1/)."""

    file = "transcript.vtt"

    def of(self, transcript: MergedTranscript) -> str:
        """Return captions with WebVTT's special characters escaped."""
        cues = (
            f"\n{timestamp(caption.start_ms, '.')} --> {timestamp(caption.end_ms, '.')}\n{_escape(caption.text)}\n"
            for caption in captions(transcript)
        )
        return "WEBVTT\n" + "".join(cues)


class TabSeparated(TranscriptFormat):
    """openai-whisper's TSV: one segment per line, times in whole milliseconds."""

    file = "transcript.tsv"

    def of(self, transcript: MergedTranscript) -> str:
        """Return a header line and one line per segment; tabs and line breaks in the text become blanks."""
        lines = (
            f"{round(segment.start_s * 1000)}\t{round(segment.end_s * 1000)}\t{' '.join(segment.text.split())}\n"
            for segment in transcript.spoken
        )
        return "start\tend\ttext\n" + "".join(lines)


def _escape(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
