"""The forms a transcript is written in, one small class each in one registry."""

from typing import Protocol

from pipeline.captions import captions
from pipeline.clock import timestamp
from pipeline.types import Transcript

PARAGRAPH_PAUSE_S = 1.5


class Format(Protocol):
    """Writes a transcript."""

    def render(self, transcript: Transcript) -> str:
        """Return the file's text."""
        ...


class WhisperJson:
    """openai-whisper's JSON with words, and how it was made."""

    def render(self, transcript: Transcript) -> str:
        """Return JSON; validates against `schemas/transcript.schema.json`."""
        return transcript.to_json().decode()


class PlainText:
    """Paragraphs, with a new one after each longer pause."""

    def render(self, transcript: Transcript) -> str:
        """Return the text, a blank line between paragraphs."""
        paragraphs: list[list[str]] = []
        last_end_s = float("-inf")
        for segment in transcript.segments:
            if segment.start_s - last_end_s > PARAGRAPH_PAUSE_S:
                paragraphs.append([])
            paragraphs[-1].append(segment.text.strip())
            last_end_s = segment.end_s
        return "".join(" ".join(paragraph) + "\n\n" for paragraph in paragraphs).rstrip("\n") + "\n"


class SubRip:
    """SRT captions."""

    def render(self, transcript: Transcript) -> str:
        """Return numbered captions."""
        return "\n".join(
            f"{number}\n{timestamp(it.start_s, ',')} --> {timestamp(it.end_s, ',')}\n{it.lines}\n"
            for number, it in enumerate(captions(transcript), start=1)
        )


class WebVtt:
    """WebVTT captions (https://www.w3.org/TR/webvtt1/)."""

    def render(self, transcript: Transcript) -> str:
        """Return captions with the characters escaped that WebVTT gives a meaning."""
        cues = (
            f"\n{timestamp(it.start_s, '.')} --> {timestamp(it.end_s, '.')}\n{_escape(it.lines)}\n"
            for it in captions(transcript)
        )
        return "WEBVTT\n" + "".join(cues)


def _escape(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


FORMATS: dict[str, Format] = {
    "transcript.json": WhisperJson(),
    "transcript.txt": PlainText(),
    "transcript.srt": SubRip(),
    "transcript.vtt": WebVtt(),
}
"""File name → its format. `transcript.json` is written last: where it is, the others are."""
