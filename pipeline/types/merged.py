"""The merged transcript of both models."""

from typing import Literal

from pipeline.types.speakers import SpeakerTurn
from pipeline.types.transcript import Segment, Transcript, Word


class MergedWord(Word):
    """A word with the agreement of the other model."""

    agreement: float | None = None
    """Similarity of both models' transcripts, 0 to 1; None if only one model transcribed it."""


class MergedSegment(Segment):
    """A segment with its uncertainty flags and Voxtral's text."""

    words: tuple[MergedWord, ...] = ()
    source: Literal["whisper", "voxtral"] = "whisper"
    """Model that the text is from; Voxtral's words divide their segment's time evenly."""
    agreement: float | None = None
    """Similarity of both models' transcripts, 0 to 1; None if only one model transcribed it."""
    doubts: tuple[str, ...] = ()
    """Reasons why Whisper's transcript is uncertain, each in a few words."""
    second_reading: str | None = None
    """Voxtral's alternative transcript, if it differs."""
    dropped: str = ""
    """Reason why the segment is suppressed, in one sentence; empty if it is part of the text."""


class MergedTranscript(Transcript):
    """The transcript after the merge; `text` has the segments that are not suppressed."""

    segments: tuple[MergedSegment, ...]
    turns: tuple[SpeakerTurn, ...] = ()
    """The speakers' turns, in the order of their starts; turns of two speakers may overlap."""

    @property
    def spoken(self) -> tuple[MergedSegment, ...]:
        """The segments that are part of the text."""
        return tuple(segment for segment in self.segments if not segment.dropped)

    @property
    def labels(self) -> dict[str, str]:
        """The label of each speaker by id, for display; empty unless two or more of them have words."""
        if len({segment.speaker for segment in self.spoken if segment.speaker}) < 2:
            return {}
        return {speaker.id: " ".join(speaker.label.split()) for speaker in self.speakers}

    def with_segments(self, segments: "list[MergedSegment]") -> "MergedTranscript":
        """Return a copy with other segments and their text."""
        text = "".join(segment.text for segment in segments if not segment.dropped).strip()
        return self.model_copy(update={"segments": tuple(segments), "text": text})

    def as_heard(self) -> Transcript:
        """Return Whisper's transcript before the merge: its own segments and fields only."""
        own = tuple(segment for segment in self.segments if segment.source == "whisper")
        fields = {name: getattr(self, name) for name in Transcript.model_fields}
        text = "".join(segment.text for segment in own).strip()
        return Transcript.model_construct(**fields | {"segments": own, "text": text})
