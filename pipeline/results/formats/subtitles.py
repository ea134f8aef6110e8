"""Caption files: SubRip, WebVTT and TSV."""

from collections.abc import Mapping

from pipeline.results.captions import Caption, captions, labelled_captions
from pipeline.results.formats.base import TranscriptFormat
from pipeline.types import MergedTranscript
from pipeline.types.text import one_line
from pipeline.types.time_format import timestamp


class SubRip(TranscriptFormat):
    """SRT captions; in a dialogue, a turn begins with its speaker's name."""

    file = "transcript.srt"

    def of(self, transcript: MergedTranscript) -> str:
        """Return numbered captions."""
        return "\n".join(
            f"{number}\n{timestamp(caption.start_ms, ',')} --> {timestamp(caption.end_ms, ',')}\n{caption.text}\n"
            for number, caption in enumerate(labelled_captions(transcript), start=1)
        )


class WebVtt(TranscriptFormat):
    """WebVTT captions (https://www.w3.org/TR/webvtt1/); in a dialogue, each is a voice span of its speaker."""

    file = "transcript.vtt"

    def of(self, transcript: MergedTranscript) -> str:
        """Return captions with WebVTT's special characters escaped."""
        labels = transcript.labels
        cues = (
            f"\n{timestamp(caption.start_ms, '.')} --> {timestamp(caption.end_ms, '.')}\n{_payload(caption, labels)}\n"
            for caption in captions(transcript)
        )
        return "WEBVTT\n" + "".join(cues)


class TabSeparated(TranscriptFormat):
    """openai-whisper's TSV: one segment per line, times in whole milliseconds."""

    file = "transcript.tsv"

    def of(self, transcript: MergedTranscript) -> str:
        """Return a header line and one line per segment; tabs and line breaks in the text become blanks."""
        lines = (
            f"{round(segment.start_s * 1000)}\t{round(segment.end_s * 1000)}\t{one_line(segment.text)}\n"
            for segment in transcript.spoken
        )
        return "start\tend\ttext\n" + "".join(lines)


def _payload(caption: Caption, labels: Mapping[str, str]) -> str:
    """Return a cue's text; the end tag of a voice span that is the whole cue may be omitted."""
    label = labels.get(caption.speaker or "")
    return (f"<v {_escape(label)}>" if label else "") + _escape(caption.text)


def _escape(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
