"""Transcript and chapters of Podcasting 2.0."""

import json
from itertools import pairwise

from pipeline.results.captions import captions
from pipeline.results.formats.base import AnalysisFormat, TranscriptFormat
from pipeline.types import Analysis, Chapter, EpisodeResult, MergedTranscript, Model
from pipeline.types.podcasting import PlayerChapter, PlayerChapters, PlayerSegment, PlayerTranscript

SHORTEST_CHAPTER_S = 1.0


class PodcastTranscript(TranscriptFormat):
    """JSON transcript 1.0.0, with one segment per caption, which players highlight during playback."""

    file = "transcript.podcast.json"

    def of(self, transcript: MergedTranscript) -> str:
        """Return JSON with times in seconds."""
        labels = transcript.labels
        segments = tuple(
            PlayerSegment(
                speaker=labels.get(caption.speaker or ""),
                start_s=caption.start_ms / 1000,
                end_s=caption.end_ms / 1000,
                body=" ".join(caption.lines),
            )
            for caption in captions(transcript)
        )
        return _json(PlayerTranscript(segments=segments))


class PodcastChapters(AnalysisFormat):
    """JSON chapters 1.2.0."""

    file = "chapters.json"

    def of(self, analysis: Analysis, result: EpisodeResult) -> str:
        """Return JSON with chapters in ascending order."""
        chapters = tuple(
            PlayerChapter(start_s=round(chapter.start_s, 3), title=chapter.title or f"Part {number}")
            for number, chapter in enumerate(_ascending(analysis.chapters), start=1)
        )
        return _json(PlayerChapters(title=result.title, chapters=chapters))


def _ascending(chapters: tuple[Chapter, ...]) -> list[Chapter]:
    """Return the chapters in ascending order, without those shorter than `SHORTEST_CHAPTER_S`."""
    ordered = sorted(chapters, key=lambda chapter: chapter.start_s)
    kept = [one for one, after in pairwise(ordered) if after.start_s - one.start_s >= SHORTEST_CHAPTER_S]
    return [*kept, *ordered[-1:]]


def _json(value: Model) -> str:
    return json.dumps(value.model_dump(exclude_none=True), indent=1, ensure_ascii=False) + "\n"
