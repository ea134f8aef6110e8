"""What is asked for, and where it stands."""

from enum import StrEnum
from typing import Annotated, Literal, get_args

from pydantic import AfterValidator, Field

from pipeline.types.model import Model


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
LEGS: tuple[Leg, ...] = get_args(Leg)


def _in_order(legs: tuple[Leg, ...]) -> tuple[Leg, ...]:
    return tuple(leg for leg in LEGS if leg in legs)


OwnQuestion = Annotated[str, Field(min_length=1, max_length=500)]


class Options(Model):
    """What a person may ask for; every field changes the result and so the job's id."""

    language: Annotated[str, Field(pattern=r"^[a-z]{2,3}$")] | None = None
    """The spoken language as an ISO 639-1 code, or None to detect it."""
    mixed_languages: bool = False
    """Whether the language may change within the episode: without `language`, it is then detected for every
    window of up to 30 s."""
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
    second_opinion: Literal["full", "doubtful", "off"] = "doubtful"
    """What Voxtral, too, writes down word for word, to be compared: all of it, or what Whisper was unsure of."""
    legs: Annotated[tuple[Leg, ...], Field(min_length=1), AfterValidator(_in_order)] = LEGS
    """Which models hear the episode: both; the fast one alone, for a transcript; the slow one alone."""

    def of_leg(self, leg: Leg) -> dict[str, object]:
        """Return the options that a leg's work depends on; a new option touches both until it is said here."""
        others = {"whisper": VOXTRAL_ONLY, "voxtral": WHISPER_ONLY}[leg]
        if leg == "voxtral" and self.second_opinion == "full":
            others = others - {"language"}
        return self.model_dump(mode="json", exclude={*others, "legs"})


WHISPER_ONLY = frozenset({"language", "mixed_languages", "task", "vocabulary"})
VOXTRAL_ONLY = frozenset({"questions", "translate_to", "reply", "second_opinion"})


class PublishedFile(Model):
    """A file that a publisher offers beside an episode's audio."""

    url: str
    media_type: str = ""
    """Such as `text/vtt` or `application/json+chapters`."""
    language: str | None = None


class Publication(Model):
    """What a feed says of an episode."""

    feed: str
    """The feed's address."""
    show: str = ""
    title: str = ""
    guid: str = ""
    link: str = ""
    """The episode's page."""
    published_at: str | None = None
    """ISO 8601, in UTC."""
    season: int | None = None
    number: int | None = None
    """The episode's number within its season or show."""
    names: tuple[str, ...] = ()
    """Names in its title and notes; Whisper is told of them as of `Options.vocabulary`."""
    transcripts: tuple[PublishedFile, ...] = ()
    """The publisher's own (`<podcast:transcript>`)."""
    chapters: PublishedFile | None = None
    """The publisher's own (`<podcast:chapters>`)."""


class Episode(Model):
    """One piece of audio, named by its bytes."""

    id: Annotated[str, Field(pattern=r"^[0-9a-f]{16}$")]
    """First 16 hex digits of the SHA-256 of the audio's bytes."""
    source: str
    """Where the person pointed: a path or URI, as shown in tables."""
    slug: Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9_-]*$", max_length=100)]
    """The file's name made safe for a folder."""
    size_bytes: Annotated[int, Field(ge=0)]
    publication: Publication | None = None
    """What the feed said that it came from."""


class JobSpec(Model):
    """All that a task needs to know: references, never payloads."""

    job: Annotated[str, Field(pattern=r"^[0-9a-f]{16}-[0-9a-f]{8}$")]
    attempt: Annotated[int, Field(ge=1)]
    episode: Episode
    options: Options
    audio_uri: str
    """Where the pools read the audio."""
    uri: str
    """The folder of this episode at its destination."""
    priority: Annotated[int, Field(ge=0, le=9)] = 5
    """0 is served first."""
    fresh: bool = False
    """Whether to do all of it again, also what an earlier attempt has done."""

    def task_id(self, leg: str) -> str:
        """Return `<job>.<leg>.<attempt>`: readable in Flower, derivable by anyone."""
        return f"{self.job}.{leg}.{self.attempt}"
