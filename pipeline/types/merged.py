"""The transcript of which both models' readings are part."""

from typing import Literal

from pipeline.types.transcript import Segment, Transcript, Word


class MergedWord(Word):
    """A word, and whether the other model heard it too."""

    agreement: float | None = None
    """How alike both models heard it, 0 to 1; None where only one was asked."""


class MergedSegment(Segment):
    """A segment with its uncertainty flags and Voxtral's text."""

    words: tuple[MergedWord, ...] = ()
    source: Literal["whisper", "voxtral"] = "whisper"
    """Whose reading the text is; Voxtral's words share their segment's time evenly."""
    agreement: float | None = None
    """How alike both models heard it, 0 to 1; None where only one was asked."""
    doubts: tuple[str, ...] = ()
    """What makes Whisper's reading uncertain, each in a few words."""
    second_reading: str | None = None
    """What Voxtral heard there, where that differs."""
    dropped: str = ""
    """Why this is no part of the text, in a sentence; empty where it is."""


class MergedTranscript(Transcript):
    """The transcript after the merge; `text` consists of the segments that are not suppressed."""

    segments: tuple[MergedSegment, ...]

    @property
    def spoken(self) -> tuple[MergedSegment, ...]:
        """The segments that are part of the text."""
        return tuple(segment for segment in self.segments if not segment.dropped)

    def with_segments(self, segments: "list[MergedSegment]") -> "MergedTranscript":
        """Return the same transcript with other segments, and the text that they make."""
        text = "".join(segment.text for segment in segments if not segment.dropped).strip()
        return self.model_copy(update={"segments": tuple(segments), "text": text})

    def as_heard(self) -> Transcript:
        """Return Whisper's transcript as it was: its own segments and fields, nothing else."""
        own = tuple(segment for segment in self.segments if segment.source == "whisper")
        fields = {name: getattr(self, name) for name in Transcript.model_fields}
        text = "".join(segment.text for segment in own).strip()
        return Transcript.model_construct(**fields | {"segments": own, "text": text})
