"""The speakers of an episode: turns, voices and names."""

from typing import Annotated, Literal

from pydantic import Field

from pipeline.types.model import Model

SpeakerId = Annotated[str | None, Field(exclude_if=lambda speaker: speaker is None)]


class SpeakerTurn(Model):
    """A stretch of speech of one speaker."""

    speaker: str
    """Id of the speaker: `S1`, `S2` and so on, in the order of their first words."""
    start_s: float = Field(alias="start")
    end_s: float = Field(alias="end")


class Speaker(Model):
    """A speaker of an episode."""

    id: str
    name: str | None = None
    """The speaker's name; None if it is not known."""
    name_source: Literal["user", "voice", "voxtral", "transcript"] | None = None
    """Source of the name: its user, a voice remembered from another episode, Voxtral's reading of the transcript, or
    the transcript's own words; `user` without a name: the user removed it."""
    quote: str = ""
    """Sentence of the episode in which the name is said; empty if the name is from elsewhere."""
    quote_s: float | None = None
    """Start of that sentence in seconds."""
    talk_s: float = 0.0
    """Seconds for which the speaker speaks."""

    @property
    def label(self) -> str:
        """The name, or `Speaker 1` without one."""
        return self.name or f"Speaker {self.id.removeprefix('S')}"


class Diarization(Model):
    """The speaker turns of an episode (`speakers.json`)."""

    turns: tuple[SpeakerTurn, ...]
    """In the order of their starts; turns of two speakers may overlap."""
    speakers: tuple[Speaker, ...] = ()
    """The speakers with their names; empty before the merge."""
    voices: dict[str, tuple[float, ...]] = Field(default_factory=dict, exclude_if=lambda voices: not voices)
    """The mean voice of each speaker, a unit vector of the model; never in a public file."""
    audio_s: float
    """Seconds of decoded audio."""
    model: str
