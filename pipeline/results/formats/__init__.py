"""Output formats of results, one class each, in one registry.

Each format is rendered from the result alone, so that `duet export` can render it again years later.
"""

from collections.abc import Iterable
from typing import Literal

from pipeline.results.formats.base import Format
from pipeline.results.formats.podcasting import PodcastChapters, PodcastTranscript
from pipeline.results.formats.show_notes import Notes
from pipeline.results.formats.subtitles import SubRip, TabSeparated, WebVtt
from pipeline.results.formats.text import AnalysisJson, PlainText, SpeakersJson, WhisperJson
from pipeline.results.player import Player
from pipeline.types import EpisodeResult

TranscriptName = Literal["json", "txt", "srt", "vtt"]
"""Transcript formats of the HTTP interface, as `transcript.<name>`."""
FORMATS: dict[str, Format] = {
    "json": WhisperJson(),
    "txt": PlainText(),
    "srt": SubRip(),
    "vtt": WebVtt(),
    "tsv": TabSeparated(),
    "podcast": PodcastTranscript(),
    "speakers": SpeakersJson(),
    "analysis": AnalysisJson(),
    "chapters": PodcastChapters(),
    "notes": Notes(),
    "player": Player(),
}
"""Name for `duet export --format` -> format. `transcript.json` is written last, so if it exists, the other formats of
the transcript exist too."""


def render_all(result: EpisodeResult, formats: Iterable[Format] = FORMATS.values()) -> dict[str, bytes]:
    """Return the bytes of a result in each format that fits it, by file name."""
    return {form.file: form.render(result).encode() for form in formats if form.fits(result)}
