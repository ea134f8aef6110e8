"""Values of Podcasting 2.0.

https://github.com/Podcastindex-org/podcast-namespace: transcripts/transcripts.md, chapters/jsonChapters.md
"""

from typing import Annotated, Literal

from pydantic import Field

from pipeline.types.model import Model


class PlayerSegment(Model):
    """Words that a player shows together."""

    start_s: Annotated[float, Field(alias="startTime")]
    end_s: Annotated[float, Field(alias="endTime")]
    body: str


class PlayerTranscript(Model):
    """`transcript.podcast.json`."""

    version: Literal["1.0.0"] = "1.0.0"
    segments: tuple[PlayerSegment, ...]


class PlayerChapter(Model):
    """The start of a chapter, which ends where the next one starts."""

    start_s: Annotated[float, Field(alias="startTime")]
    title: str


class PlayerChapters(Model):
    """`chapters.json`."""

    version: Literal["1.2.0"] = "1.2.0"
    title: str | None = None
    """Left out where the episode has none."""
    chapters: tuple[PlayerChapter, ...]
