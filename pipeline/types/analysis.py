"""The analysis of an episode by Voxtral."""

from typing import Literal

from pipeline.types.model import Model


class Timestamped(Model):
    """Something that is said at one place of the episode; without times where that place was not found."""

    start_s: float | None = None
    end_s: float | None = None


class Chapter(Model):
    """A stretch of the episode that is about one thing."""

    start_s: float
    end_s: float | None = None
    title: str
    gist: str = ""
    """What it is about, in a sentence."""


class KeyPoint(Timestamped):
    """A statement that a listener should remember."""

    text: str


class ActionItem(Timestamped):
    """Something that someone is to do."""

    text: str
    owner: str | None = None
    """Who is to do it, where that is said."""


class Sentiment(Model):
    """The mood of the episode, and what makes it so."""

    label: Literal["positive", "neutral", "negative", "mixed"]
    reason: str


class Mention(Model):
    """A person or an organisation that is spoken of."""

    name: str
    kind: Literal["person", "organisation"]
    role: str = ""
    """Who or what that is, in a few words."""


class Quote(Timestamped):
    """Words worth repeating, as the model heard them."""

    text: str
    speaker: str | None = None


class CustomAnswer(Timestamped):
    """A question of the listener's own, and its answer."""

    question: str
    answer: str | None
    """None: the episode does not say."""


class Analysis(Model):
    """Voxtral's analysis, or in its place an outline of the transcript."""

    source: Literal["voxtral", "outline"]
    model: str
    summary: str
    """A paragraph; empty where there is no sound at all."""
    summary_sentence: str = ""
    title: str = ""
    language: str = ""
    """ISO 639 code of the language that is spoken most."""
    chapters: tuple[Chapter, ...] = ()
    topics: tuple[str, ...] = ()
    key_points: tuple[KeyPoint, ...] = ()
    action_items: tuple[ActionItem, ...] = ()
    sentiment: Sentiment | None = None
    people_and_organisations: tuple[Mention, ...] = ()
    quotes: tuple[Quote, ...] = ()
    answers: tuple[CustomAnswer, ...] = ()
    """To the questions of `Options.questions`, in their order."""
    translation: str | None = None
    """The summary in the language that was asked for."""
    reply: str | None = None
    transcription: str | None = None
    """The episode word for word as Voxtral heard it, where a full second opinion was asked for."""
    sections: int = 1
    """In how many pieces the episode was heard."""
    heard_s: float
    """How much of the episode, from its start, the analysis is based on, in seconds."""
    truncated: bool = False
    """Whether any answer was cut before the model ended it."""
