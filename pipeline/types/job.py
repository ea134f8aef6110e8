"""Jobs: states, options and specifications."""

from enum import StrEnum
from typing import Annotated, Literal, Self, get_args

from pydantic import AfterValidator, BeforeValidator, ConfigDict, Field, ValidationInfo, model_validator

from pipeline.errors import without_credentials
from pipeline.types.languages import whisper_code
from pipeline.types.model import Model
from pipeline.types.publication import MOST_TERM, MOST_TERMS, Publication


class JobState(StrEnum):
    """The state of a job: submitted → running → transcribed → one of the four final states."""

    SUBMITTED = "submitted"
    RUNNING = "running"
    TRANSCRIBED = "transcribed"
    COMPLETED = "completed"
    PARTIAL = "partial"
    FAILED = "failed"
    CANCELLED = "cancelled"

    @property
    def is_final(self) -> bool:
        """Whether the job never leaves this state."""
        return self in FINAL_STATES


FINAL_STATES = frozenset({JobState.COMPLETED, JobState.PARTIAL, JobState.FAILED, JobState.CANCELLED})

ModelLeg = Literal["whisper", "voxtral"]
MODEL_LEGS: tuple[ModelLeg, ...] = get_args(ModelLeg)
"""The legs with a pool and a model of their own."""
Leg = Literal["whisper", "voxtral", "speakers"]
LEGS: tuple[Leg, ...] = get_args(Leg)
"""All legs of the chord's header; `speakers` tells the voices in the transcript apart."""


def _in_order(legs: tuple[ModelLeg, ...]) -> tuple[ModelLeg, ...]:
    return tuple(leg for leg in MODEL_LEGS if leg in legs)


def _count_or_switch(text: object) -> object:
    """Return the number, or the switch, that a command line or a form writes as text."""
    if not isinstance(text, str):
        return text
    word = text.strip().lower()
    return int(word) if word.isdecimal() else {"on": True, "off": False}.get(word, word)


def _language(given: object, info: ValidationInfo) -> object:
    """Return Whisper's code; a job that is stored as JSON keeps a code that an earlier version accepted."""
    try:
        return whisper_code(given) if isinstance(given, str) else given
    except ValueError:
        if info.mode == "json":
            return given
        raise


Term = Annotated[str, Field(max_length=MOST_TERM)]
MOST_QUESTION = 500
MOST_SPEAKERS = 50
SpeakerCount = Annotated[int, Field(ge=1, le=MOST_SPEAKERS)]
OwnQuestion = Annotated[str, Field(min_length=1, max_length=MOST_QUESTION)]


class Options(Model):
    """The options of a job; every field changes the result and therefore the job's id."""

    model_config = ConfigDict(use_attribute_docstrings=True)

    language: Annotated[str | None, BeforeValidator(_language)] = None
    """The spoken language by code or English name (`de`, `deu`, `de-CH`, `German`); detected if unset or `auto`."""
    mixed_languages: bool = False
    """Detect the language of every window of up to 30 s, for an episode in several languages."""
    task: Literal["transcribe", "translate"] = "transcribe"
    """Task of Whisper: `transcribe` in the spoken language, or `translate` into English."""
    vocabulary: Annotated[tuple[Term, ...], Field(max_length=MOST_TERMS)] = ()
    """A name or term of the episode, in its correct spelling; both models are told it."""
    questions: Annotated[tuple[OwnQuestion, ...], Field(max_length=20)] = ()
    """A question that Voxtral answers for the whole episode."""
    translate_to: Annotated[str, Field(pattern=r"^[^\W\d_][\w ()-]{1,39}$")] | None = None
    """The language, by name or code, into which Voxtral translates the summary."""
    reply: bool = False
    """Add a reply to the episode, which Voxtral writes as a listener would."""
    second_opinion: Literal["full", "doubtful", "off"] = "doubtful"
    """The spans that Voxtral transcribes too, for comparison: all, or those where Whisper was uncertain."""
    speakers: Annotated[bool | SpeakerCount | None, BeforeValidator(_count_or_switch)] = None
    """Tell the speakers of the transcript apart: `on`, `off`, or how many there are; unset: where the extra `speakers`
    is installed."""
    min_speakers: SpeakerCount | None = None
    """The smallest number of speakers."""
    max_speakers: SpeakerCount | None = None
    """The largest number of speakers."""
    remember_voices: bool = False
    """Remember the voices of this show's speakers beside the results, and name those that are known from there."""
    legs: Annotated[tuple[ModelLeg, ...], Field(min_length=1), AfterValidator(_in_order)] = MODEL_LEGS
    """The legs to run: `whisper` for the transcript, `voxtral` for the analysis; both by default."""

    @model_validator(mode="after")
    def _check_speakers(self) -> Self:
        if (self.min_speakers or 1) > (self.max_speakers or MOST_SPEAKERS):
            raise ValueError("min_speakers is larger than max_speakers")
        if self.speakers is not True and self.speakers is not None and (self.min_speakers or self.max_speakers):
            raise ValueError("give either the number of speakers or its bounds")
        return self

    @property
    def speaker_bounds(self) -> tuple[int, int | None]:
        """The smallest and the largest number of speakers; None: no largest."""
        if self.speakers is None or isinstance(self.speakers, bool):
            return self.min_speakers or 1, self.max_speakers
        return self.speakers, self.speakers

    @property
    def needs_analysis(self) -> bool:
        """Whether they ask for something that only Voxtral can do."""
        asks = self.questions or self.translate_to or self.reply or self.second_opinion == "full"
        return bool(asks) or "whisper" not in self.legs

    def runs(self, leg: Leg) -> bool:
        """Return whether a leg has work; without a transcript there are no words to give to speakers."""
        return self.speakers is not False and "whisper" in self.legs if leg == "speakers" else leg in self.legs

    def of_leg(self, leg: Leg) -> dict[str, object]:
        """Return the options that a leg's work depends on; the names that both models are told affect both."""
        if leg == "speakers":
            return {"bounds": self.speaker_bounds, "remember_voices": self.remember_voices}
        others = {"whisper": VOXTRAL_ONLY, "voxtral": WHISPER_ONLY}[leg] | SPEAKERS_ONLY
        if leg == "voxtral" and self.second_opinion == "full":
            others = others - {"language"}
        return self.model_dump(mode="json", exclude={*others, "legs"})

    def identity(self) -> dict[str, object]:
        """Return the options that a job's id is made of; those of speakers only if they are given."""
        unset = {name for name in SPEAKERS_ONLY if getattr(self, name) == type(self).model_fields[name].default}
        return self.model_dump(mode="json", exclude=unset)


WHISPER_ONLY = frozenset({"language", "mixed_languages", "task"})
VOXTRAL_ONLY = frozenset({"questions", "translate_to", "reply", "second_opinion"})
SPEAKERS_ONLY = frozenset({"speakers", "min_speakers", "max_speakers", "remember_voices"})


class Episode(Model):
    """One audio file, identified by the digest of its bytes."""

    id: Annotated[str, Field(pattern=r"^[0-9a-f]{16}$")]
    """First 16 hex digits of the SHA-256 of the audio's bytes."""
    source: Annotated[str, AfterValidator(without_credentials)]
    """Path or URI that the user gave, as shown in tables; a web address is without user and query."""
    slug: Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9_-]*$", max_length=100)]
    """The file's name made safe for a folder."""
    size_bytes: Annotated[int, Field(ge=0)]
    publication: Publication | None = None
    """The feed's description, if the episode is from a feed."""

    @property
    def file_name(self) -> str:
        """The last part of the source."""
        return self.source.rstrip("/").rpartition("/")[2] or self.source


class JobSpec(Model):
    """The input of every task of a job; it has references, never payloads."""

    job: Annotated[str, Field(pattern=r"^[0-9a-f]{16}-[0-9a-f]{8}$")]
    attempt: Annotated[int, Field(ge=1)]
    episode: Episode
    options: Options
    audio_uri: str
    """URI from which the pools read the audio."""
    uri: str
    """URI of the episode's folder at the destination."""
    priority: Annotated[int, Field(ge=0, le=9)] = 5
    """Priority, 0 to 9; 0 is served first."""
    fresh: bool = False
    """Whether to repeat the work that an earlier attempt has done."""

    def task_id(self, leg: str) -> str:
        """Return `<job>.<leg>.<attempt>`, which is readable in Flower and needs no lookup."""
        return f"{self.job}.{leg}.{self.attempt}"
