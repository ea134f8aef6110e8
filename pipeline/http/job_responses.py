"""Responses about jobs."""

from typing import Literal, get_args

from fastapi import Request
from pydantic import BaseModel, Field

from pipeline.results.formats import TranscriptName
from pipeline.types import Analysis, JobState, Leg, Options, Transcript
from pipeline.types.records import JobRecord, LegRecord
from pipeline.types.time_format import iso


class LegView(BaseModel):
    """The progress of one leg."""

    status: Literal["waiting", "running", "ok", "failed", "skipped"]
    done_s: float = Field(description="Seconds of audio processed so far.", examples=[312.5])
    total_s: float | None = Field(description="Length of the audio in seconds, once it is known.")
    text: str = Field(description="The last transcribed line.", examples=["Good morning, and welcome."])
    work_s: float | None = Field(description="Seconds that the leg took, once it has ended.")
    model: str
    reason: str = Field(description="Reason of a failed or skipped leg.")


class JobView(BaseModel):
    """A job, with its progress and links."""

    id: str = Field(examples=["0123456789abcdef-01234567"])
    state: JobState
    reason: str = Field(description="Reason of a failed, partial or cancelled job.")
    name: str = Field(description="File name of the audio.", examples=["ep-042.mp3"])
    audio_s: float | None
    size_bytes: int
    submitted_at: str = Field(examples=["2026-01-02T03:04:05.678+00:00"])
    transcribed_at: str | None
    ended_at: str | None
    options: Options
    legs: dict[Leg, LegView]
    links: dict[str, str] = Field(
        description="Addresses of the results that exist so far.",
        examples=[{"self": "/jobs/0123456789abcdef-01234567", "events": "/jobs/0123456789abcdef-01234567/events"}],
    )


class Answer(JobView):
    """A job, with its transcript and analysis if ready."""

    transcript: Transcript | None = None
    analysis: Analysis | None = None


class Removed(BaseModel):
    """Numbers of removed items of a job."""

    jobs: list[str] = Field(examples=[["0123456789abcdef-01234567"]])
    files: int = Field(description="Number of result files and work files.")
    uploads: int
    copies: int = Field(description="Number of copies of the audio in this server's cache.")
    batch_entries: int


class Page(BaseModel):
    """A page of jobs, newest first."""

    jobs: list[JobView]
    count: int = Field(description="Total number of jobs.")


def view(record: JobRecord, request: Request) -> JobView:
    """Return the response about a job."""
    spec = record.spec
    publication = spec.episode.publication
    return JobView(
        id=spec.job,
        state=record.state,
        reason=record.reason,
        name=(publication.title if publication else "") or spec.episode.source.rstrip("/").rpartition("/")[2],
        audio_s=record.audio_s,
        size_bytes=spec.episode.size_bytes,
        submitted_at=iso(record.submitted_at),
        transcribed_at=iso(record.transcribed_at) if record.transcribed_at else None,
        ended_at=iso(record.ended_at) if record.ended_at else None,
        options=spec.options,
        legs={leg: _leg(it, record) for leg, it in record.legs.items()},
        links=links(record, request.scope.get("root_path", "")),
    )


def links(record: JobRecord, root: str) -> dict[str, str]:
    """Return the links to a job's outputs."""
    own = f"{root}/jobs/{record.spec.job}"
    found = {"self": own, "events": f"{own}/events", "audio": f"{own}/audio"}
    if has_transcript(record):
        found |= {form: f"{own}/transcript.{form}" for form in get_args(TranscriptName)}
    if has_result(record):
        found |= {"result": f"{own}/result", "player": f"{own}/player"}
    return found


def has_transcript(record: JobRecord) -> bool:
    """Whether the fast leg has stored a transcript."""
    outcome = record.legs["whisper"].outcome
    return record.has_reached(JobState.TRANSCRIBED) and outcome is not None and outcome.status == "ok"


def has_result(record: JobRecord) -> bool:
    """Whether the job has stored a `result.json`."""
    return record.state.is_final and record.state is not JobState.CANCELLED


def _leg(leg: LegRecord, record: JobRecord) -> LegView:
    outcome = leg.outcome
    status = outcome.status if outcome else "waiting" if leg.started_at is None else "running"
    length_s = record.audio_s
    return LegView(
        status=status,
        done_s=length_s or leg.done_s if status == "ok" else leg.done_s,
        total_s=leg.total_s or length_s,
        text=leg.text,
        work_s=outcome.work_s if outcome else None,
        model=outcome.model if outcome else "",
        reason=outcome.reason if outcome else "",
    )
