"""Captions for players."""

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
            f"{number}\n{timestamp(it.start_ms, ',')} --> {timestamp(it.end_ms, ',')}\n{it.text}\n"
            for number, it in enumerate(captions(transcript), start=1)
        )


class WebVtt(TranscriptFormat):
    """WebVTT captions (https://www.w3.org/TR/webvtt1/)."""

    file = "transcript.vtt"

    def of(self, transcript: MergedTranscript) -> str:
        """Return captions with the characters escaped that WebVTT gives a meaning."""
        cues = (
            f"\n{timestamp(it.start_ms, '.')} --> {timestamp(it.end_ms, '.')}\n{_escape(it.text)}\n"
            for it in captions(transcript)
        )
        return "WEBVTT\n" + "".join(cues)


class TabSeparated(TranscriptFormat):
    """openai-whisper's TSV: a segment a line, times in whole milliseconds."""

    file = "transcript.tsv"

    def of(self, transcript: MergedTranscript) -> str:
        """Return a head line and one line a segment; tabs and line breaks in the text become blanks."""
        lines = (
            f"{round(it.start_s * 1000)}\t{round(it.end_s * 1000)}\t{' '.join(it.text.split())}\n"
            for it in transcript.spoken
        )
        return "start\tend\ttext\n" + "".join(lines)


def _escape(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
