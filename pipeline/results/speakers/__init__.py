"""The words of a transcript given to the speakers whom a diarization tells apart."""

from pipeline.results.speakers.attribution import with_speakers
from pipeline.results.speakers.links import name_at, with_linked_people
from pipeline.results.speakers.parts import without_speakers

__all__ = ["name_at", "with_linked_people", "with_speakers", "without_speakers"]
