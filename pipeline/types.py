"""What flows through Duet: frozen models with units in their names.

Whisper's own JSON is the transcript's form on disk, so `Word`, `Segment` and `Transcript` carry
aliases: `start_s` in Python, `start` in the file.
"""

from enum import StrEnum
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field


class Model(BaseModel):
    """A value: frozen, no unknown fields, written with its aliases."""

    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True, serialize_by_alias=True)

    def to_json(self) -> bytes:
        """Return the JSON that goes to storage, UTF-8, indented."""
        return (self.model_dump_json(indent=1) + "\n").encode()

    def to_message(self) -> dict[str, Any]:
        """Return the plain dict that goes into a Celery message."""
        return self.model_dump(mode="json")

    @classmethod
    def from_json(cls, data: bytes | str) -> Self:
        """Read what `to_json` wrote; raises pydantic.ValidationError when it is something else."""
        return cls.model_validate_json(data)


class JobState(StrEnum):
    """Where a job is: submitted → running → transcribed → one of the four ends."""

    SUBMITTED = "submitted"
    RUNNING = "running"
    TRANSCRIBED = "transcribed"
    COMPLETED = "completed"
    PARTIAL = "partial"
    FAILED = "failed"
    CANCELLED = "cancelled"

    @property
    def is_final(self) -> bool:
        """Whether nothing happens to the job after this state."""
        return self in FINAL_STATES


FINAL_STATES = frozenset({JobState.COMPLETED, JobState.PARTIAL, JobState.FAILED, JobState.CANCELLED})

Leg = Literal["whisper", "voxtral"]
OwnQuestion = Annotated[str, Field(min_length=1, max_length=500)]


class Options(Model):
    """What a person may ask for; every field changes the result and so the job's id."""

    language: Annotated[str, Field(pattern=r"^[a-z]{2,3}$")] | None = None
    """The spoken language as an ISO 639-1 code, or None to detect it."""
    task: Literal["transcribe", "translate"] = "transcribe"
    """Whether the transcript is in the spoken language or in English."""
    vocabulary: tuple[str, ...] = ()
    """Names and terms that are likely to be said, spelled as they are to be written."""
    questions: Annotated[tuple[OwnQuestion, ...], Field(max_length=20)] = ()
    """Questions of one's own, each answered for the whole episode by Voxtral."""
    translate_to: Annotated[str, Field(pattern=r"^[^\W\d_][\w ()-]{1,39}$")] | None = None
    """A language, by its name or code, into which Voxtral translates the summary."""
    reply: bool = False
    """Whether Voxtral writes a reply to the episode, as a listener would."""
    voxtral_transcription: bool = False
    """Whether Voxtral, too, writes down what is said, word for word and without times."""


class Episode(Model):
    """One piece of audio, named by its bytes."""

    id: str
    """First 16 hex digits of the SHA-256 of the audio's bytes."""
    source: str
    """Where the person pointed: a path or URI, as shown in tables."""
    slug: str
    """The file's name made safe for a folder."""
    size_bytes: int


class JobSpec(Model):
    """All that a task needs to know: references, never payloads."""

    job: str
    attempt: Annotated[int, Field(ge=1)]
    episode: Episode
    options: Options
    audio_uri: str
    """Where the pools read the audio."""
    uri: str
    """The folder of this episode at its destination."""
    fresh: bool = False
    """Whether to do all of it again, also what an earlier attempt has done."""

    def task_id(self, leg: str) -> str:
        """Return `<job>.<leg>.<attempt>`: readable in Flower, derivable by anyone."""
        return f"{self.job}.{leg}.{self.attempt}"


class Word(Model):
    """One word and when it is said."""

    word: str
    start_s: float = Field(alias="start")
    end_s: float = Field(alias="end")
    probability: float


class Segment(Model):
    """A stretch of speech, in the fields of openai-whisper's JSON."""

    id: int
    seek: int = 0
    start_s: float = Field(alias="start")
    end_s: float = Field(alias="end")
    text: str
    tokens: tuple[int, ...] = ()
    temperature: float = 0.0
    avg_logprob: float = 0.0
    compression_ratio: float = 0.0
    no_speech_prob: float = 0.0
    words: tuple[Word, ...] = ()


class Transcript(Model):
    """What Whisper heard: openai-whisper's JSON, and how it was made."""

    text: str
    language: str
    """The spoken language, `und` where nothing was said."""
    language_probability: float = 1.0
    """How sure the language is, 0 to 1; 1 where it was given."""
    segments: tuple[Segment, ...]
    audio_s: float
    """Seconds of audio that could be decoded."""
    expected_s: float = 0.0
    """Seconds of audio that the file's header promises; 0.0 where it promises nothing."""
    broken_frames: int = 0
    """Packets that could not be decoded and were skipped."""
    model: str


class Chapter(Model):
    """A stretch of the episode that is about one thing."""

    start_s: float
    title: str
    gist: str = ""
    """What it is about, in a sentence."""


class ActionItem(Model):
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


class Quote(Model):
    """Words worth repeating, as the model heard them."""

    text: str
    speaker: str | None = None


class OwnAnswer(Model):
    """A question of the listener's own, and its answer."""

    question: str
    answer: str | None
    """None: the episode does not say."""


class Analysis(Model):
    """What Voxtral understood, or what an outline made of the transcript could give in its place."""

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
    key_points: tuple[str, ...] = ()
    action_items: tuple[ActionItem, ...] = ()
    sentiment: Sentiment | None = None
    people_and_organisations: tuple[Mention, ...] = ()
    quotes: tuple[Quote, ...] = ()
    answers: tuple[OwnAnswer, ...] = ()
    """To the questions of `Options.questions`, in their order."""
    translation: str | None = None
    """The summary in the language that was asked for."""
    reply: str | None = None
    transcription: str | None = None
    """The episode word for word as Voxtral heard it, on request."""
    sections: int = 1
    """In how many pieces the episode was heard."""
    heard_s: float
    """How much of the episode, from its start, the analysis is based on, in seconds."""
    truncated: bool = False
    """Whether any answer was cut before the model ended it."""


class LegOutcome(Model):
    """How one leg ended: a value, so that the other leg's work is never thrown away."""

    leg: Leg
    status: Literal["ok", "failed", "skipped"]
    reason: str = ""
    """Why it is not ok, in a sentence a person can act on."""
    flaws: tuple[str, ...] = ()
    """What is wrong with a result that is there all the same; any makes the job `partial`."""
    audio_s: float | None = None
    work_s: float = 0.0
    """Seconds at work, loading of models and waiting in the queue not counted."""
    model: str = ""
    reused: bool = False
    """Whether an earlier attempt had already done the work."""


class EpisodeResult(Model):
    """`result.json`: the manifest and merged result, written last, the proof that all else is there."""

    schema_version: Literal["1.0"] = "1.0"
    job: str
    attempt: int
    episode: Episode
    options: Options
    state: JobState
    reason: str = ""
    audio_s: float | None
    language: str | None = None
    text: str = ""
    analysis: Analysis | None = None
    """What Voxtral understood; or, marked `source="outline"`, what the transcript alone could give."""
    legs: dict[Leg, LegOutcome]
    missing: tuple[str, ...] = ()
    """What a complete episode has and this one has not, each with its reason."""
    files: dict[str, str]
    """Name in the episode's folder → SHA-256 of its bytes."""
    submitted_at: str
    transcribed_at: str | None = None
    ended_at: str
