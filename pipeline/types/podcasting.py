"""Transcripts and chapters in the formats of Podcasting 2.0.

https://github.com/Podcastindex-org/podcast-namespace: transcripts/transcripts.md, chapters/jsonChapters.md
"""

from typing import Annotated, Literal

from pydantic import Field

from pipeline.types.model import Model


class PlayerSegment(Model):
    """A text that a player shows at once."""

    speaker: str | None = None
    """The speaker's name; omitted if it is not known or only one person speaks."""
    start_s: Annotated[float, Field(alias="startTime")]
    end_s: Annotated[float, Field(alias="endTime")]
    body: str


class PlayerTranscript(Model):
    """The content of `transcript.podcast.json`."""

    version: Literal["1.0.0"] = "1.0.0"
    segments: tuple[PlayerSegment, ...]


class PlayerChapter(Model):
    """The start of a chapter, which ends where the next one starts."""

    start_s: Annotated[float, Field(alias="startTime")]
    title: str


class PlayerChapters(Model):
    """The content of `chapters.json`."""

    version: Literal["1.2.0"] = "1.2.0"
    title: str | None = None
    """Title of the episode; omitted if it has none."""
    chapters: tuple[PlayerChapter, ...]
