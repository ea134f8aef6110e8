"""Outcomes of legs and results of jobs."""

from collections.abc import Iterable
from typing import Annotated, Literal, Self

from pydantic import Field

from pipeline.types.analysis import Analysis
from pipeline.types.corrections import Uncorrected
from pipeline.types.file_tags import FileTags
from pipeline.types.job import Episode, JobState, Leg, Options
from pipeline.types.merged import MergedTranscript
from pipeline.types.model import Model
from pipeline.types.usage import UsageStats


class LegOutcome(Model):
    """The outcome of one leg; a failure is a value, not an exception, so that the other leg's work is not lost."""

    leg: Leg
    status: Literal["ok", "failed", "skipped"]
    reason: str = ""
    """Reason why it is not ok, in one sentence for the user."""
    short: str = ""
    """The reason in a few words, such as `no GPU here`; empty if there is no shorter one."""
    unavailable: bool = False
    """Whether it was skipped because this machine cannot run it, which is no loss to a job that can do without."""
    flaws: tuple[str, ...] = ()
    """Flaws of an existing result; any of them makes the job `partial`."""
    audio_s: float | None = None
    tags: FileTags = FileTags()
    """Tags of the audio file, which give the episode its title if no feed does."""
    work_s: float = 0.0
    """Seconds at work, without loading of models and waiting in the queue."""
    model: str = ""
    model_digest: str = ""
    """SHA-256 of the weights; empty if they are on a server or no model ran."""
    device: str = ""
    """`cpu`, `cuda:0 (NVIDIA L4)`, or the URL of a server."""
    settings: dict[str, str] = Field(default_factory=dict)
    """Settings of the worker that the outcome depends on."""
    tries: int = 1
    """Number of starts of the leg in this attempt; more than one after a transient error or a killed process."""
    reused: bool = False
    """Whether an earlier attempt had already done the work."""

    def falls_short(self, options: Options) -> bool:
        """Whether the leg is missing although it was possible, or the job cannot do without it."""
        return self.is_missing(options) and not (self.unavailable and not options.needs_analysis)

    def is_missing(self, options: Options) -> bool:
        """Whether the leg is asked for and has not succeeded; speakers may be skipped unless they are asked for."""
        may_be_skipped = self.leg == "speakers" and options.speakers is None
        return options.runs(self.leg) and self.status != "ok" and not (may_be_skipped and self.status == "skipped")


class EpisodeResult(Model):
    """`result.json`: the manifest and the merged result; written last, so its existence implies all other files."""

    schema_version: Literal["2.0", "2.1", "2.2"] = "2.2"
    job: str
    attempt: int
    episode: Episode
    options: Options
    state: JobState
    reason: str = ""
    audio_s: float | None = None
    language: str | None = None
    analysis: Analysis | None = None
    """Voxtral's analysis, or an outline of the transcript (`source="outline"`)."""
    legs: dict[Leg, LegOutcome] = Field(default_factory=dict)
    missing: tuple[str, ...] = ()
    """Missing parts of the result, each with its reason."""
    files: dict[str, str] = Field(default_factory=dict)
    """SHA-256 of each file, by its name in the episode's folder."""
    audio: str | None = None
    """URL of the audio, relative to the episode's folder; None if it cannot be reached from there."""
    submitted_at: str
    transcribed_at: str | None = None
    ended_at: str | None = None
    figures: UsageStats = UsageStats()
    transcript: MergedTranscript | None = None
    """The merged transcript, including the suppressed segments and their reasons."""
    uncorrected: Annotated[Uncorrected | None, Field(exclude_if=lambda it: it is None)] = None
    """The parts that `corrections.json` has changed, as they were; None if nothing is changed."""

    def before_corrections(self) -> Self:
        """Return the result as the models made it."""
        if self.uncorrected is None:
            return self
        transcript = self.uncorrected.transcript(self.transcript) if self.transcript else None
        analysis = self.uncorrected.analysis(self.analysis) if self.analysis else None
        return self.model_copy(update={"transcript": transcript, "analysis": analysis, "uncorrected": None})

    @property
    def title(self) -> str:
        """The feed's title, else the file's, else Voxtral's, else the file's name."""
        written = self.analysis.title if self.analysis and self.analysis.source == "voxtral" else ""
        return title_of(self.episode, self.legs.values()) or written or self.episode.file_name

    @property
    def show(self) -> str:
        """The name of the show, from the feed or the file's tags; empty if unknown."""
        return show_of(self.episode, self.legs.values())

    @property
    def text(self) -> str:
        """The transcript's text; empty without a transcript."""
        return self.transcript.text if self.transcript else ""


def title_of(episode: Episode, outcomes: Iterable[LegOutcome]) -> str:
    """Return the feed's title of an episode, else the one in the file's tags; empty if there is neither."""
    published = episode.publication.title if episode.publication else ""
    return published or next((it.tags.title for it in outcomes if it.tags.title), "")


def show_of(episode: Episode, outcomes: Iterable[LegOutcome]) -> str:
    """Return the show's name in the feed, else the album in the file's tags; empty if there is neither."""
    published = episode.publication.show if episode.publication else ""
    return published or next((it.tags.show for it in outcomes if it.tags.show), "")
