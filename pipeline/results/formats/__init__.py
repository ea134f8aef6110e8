"""The forms in which an episode's results are written, one small class each in one registry.

Every form is made from the result alone, so that `duet export` can make it again years later.
"""

from collections.abc import Iterable
from typing import Literal

from pipeline.results.formats.base import Format
from pipeline.results.formats.podcasting import PodcastChapters, PodcastTranscript
from pipeline.results.formats.show_notes import Notes
from pipeline.results.formats.subtitles import SubRip, TabSeparated, WebVtt
from pipeline.results.formats.text import AnalysisJson, PlainText, WhisperJson
from pipeline.results.player import Player
from pipeline.types import EpisodeResult

TranscriptName = Literal["json", "txt", "srt", "vtt"]
"""The formats of the transcript that HTTP offers, as `transcript.<name>`."""
FORMATS: dict[str, Format] = {
    "json": WhisperJson(),
    "txt": PlainText(),
    "srt": SubRip(),
    "vtt": WebVtt(),
    "tsv": TabSeparated(),
    "podcast": PodcastTranscript(),
    "analysis": AnalysisJson(),
    "chapters": PodcastChapters(),
    "notes": Notes(),
    "player": Player(),
}
"""The name that `duet export --format` takes → the form. `transcript.json` is written last: where it is, the
other forms of the transcript are."""


def render_all(result: EpisodeResult, formats: Iterable[Format] = FORMATS.values()) -> dict[str, bytes]:
    """Return the bytes of each form of a result by its file's name, those left out that it has nothing for."""
    return {form.file: form.render(result).encode() for form in formats if form.fits(result)}
