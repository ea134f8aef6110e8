"""The analysis of an episode by Voxtral."""

from typing import Annotated, Literal

from pydantic import Field

from pipeline.types.model import Model
from pipeline.types.speakers import SpeakerId


class Timestamped(Model):
    """A statement with its times in the episode; None if they were not found."""

    start_s: float | None = None
    end_s: float | None = None


class Chapter(Model):
    """A chapter of the episode with one subject."""

    start_s: float
    end_s: float | None = None
    title: str
    gist: str = ""
    """Summary in one sentence."""


class KeyPoint(Timestamped):
    """A statement worth remembering."""

    text: str


class ActionItem(Timestamped):
    """A task that is mentioned in the episode."""

    text: str
    owner: str | None = None
    """Person responsible, if mentioned."""


class Sentiment(Model):
    """The sentiment of the episode and its reason."""

    label: Literal["positive", "neutral", "negative", "mixed"]
    reason: str


class Mention(Model):
    """A person or an organisation that is mentioned."""

    name: str
    kind: Literal["person", "organisation"]
    role: str = ""
    """Description in a few words."""
    heard_as: str = ""
    """The name as Voxtral wrote it, if the merge has spelt it as in the transcript; else empty."""
    speaker: SpeakerId = None
    """Id of the speaker of that name in `Transcript.speakers`; None if no speaker has it."""


class Quote(Timestamped):
    """A quotation, as the model transcribed it."""

    text: str
    speaker: str | None = None


class CustomAnswer(Timestamped):
    """A question of the user and its answer."""

    question: str
    answer: str | None
    """The answer; None if the episode has none."""
    quotes: tuple[Quote, ...] = ()
    """Sentences of the episode that say it, as the model transcribed them, in order."""


class NamedSpeaker(Model):
    """A speaker whose name Voxtral read in the transcript."""

    speaker: str
    """Id of the speaker when Voxtral was asked; the merge finds the speaker again by `turn_s`."""
    name: str
    quote: str
    """Sentence of the transcript in which the name is said."""
    quote_s: float | None = None
    """Start of that sentence in seconds."""
    turn_s: float | None = None
    """Start of the speaker's longest turn in seconds."""


class Respelling(Model):
    """A name that the merge has spelt as in the transcript."""

    heard: str
    """The name as Voxtral wrote it."""
    spelt: str


class Unread(Model):
    """A section of the episode about which an answer of the model could not be read."""

    start_s: float
    end_s: float


class Analysis(Model):
    """Voxtral's analysis, or an outline of the transcript in its place."""

    source: Literal["voxtral", "outline"]
    model: str
    summary: str
    """Summary in a paragraph; empty for an episode without sound."""
    summary_sentence: str = ""
    title: str = ""
    language: str = ""
    """ISO 639 code of the most spoken language."""
    chapters: tuple[Chapter, ...] = ()
    chapters_source: Literal["voxtral", "outline", "publisher"] | None = None
    """Source of the chapters' titles; the starts are from the transcript, or the publisher's too. None without
    chapters."""
    topics: tuple[str, ...] = ()
    key_points: tuple[KeyPoint, ...] = ()
    action_items: tuple[ActionItem, ...] = ()
    sentiment: Sentiment | None = None
    people_and_organisations: tuple[Mention, ...] = ()
    quotes: tuple[Quote, ...] = ()
    answers: tuple[CustomAnswer, ...] = ()
    """Answers to `Options.questions`, in their order."""
    translation: str | None = None
    """The summary in the language of `Options.translate_to`."""
    reply: str | None = None
    transcription: str | None = None
    """Voxtral's transcript of the episode, for a full second opinion."""
    speakers: Annotated[tuple[NamedSpeaker, ...], Field(exclude_if=lambda speakers: not speakers)] = ()
    """Speakers whose names Voxtral read in the transcript."""
    respelt: tuple[Respelling, ...] = ()
    """Names that are spelt otherwise here than Voxtral wrote them, in order of appearance."""
    unread: Annotated[tuple[Unread, ...], Field(exclude_if=lambda unread: not unread)] = ()
    """Sections that are left out, all or in part, since answers about them could not be read."""
    sections: int = 1
    """Number of sections in which the episode was analyzed."""
    heard_s: float
    """Seconds of the episode, from its start, that the analysis is based on."""
    truncated: bool = False
    """Whether an answer was truncated before the model ended it."""
