"""Voices that are remembered for a show."""

from pipeline.types.model import Model


class RememberedVoice(Model):
    """The voice of a speaker in one episode."""

    folder: str
    """Name of the episode's folder."""
    speaker: str
    """Id of the speaker in that episode."""
    name: str | None = None
    """The speaker's name; None until it is known."""
    voice: tuple[float, ...]
    """Mean voice, a unit vector of the model."""


class RememberedVoices(Model):
    """The remembered voices of a show, the newest episode last."""

    voices: tuple[RememberedVoice, ...] = ()
