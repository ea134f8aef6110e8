"""Responses about jobs."""

import time
from typing import Literal, get_args

from fastapi import Request
from pydantic import BaseModel, Field

from pipeline.client.retry import missing_legs
from pipeline.http.queue_places import QueuePlace
from pipeline.results.formats import TranscriptName
from pipeline.types import MODEL_LEGS, Analysis, JobState, Leg, ModelLeg, Options, Transcript
from pipeline.types.records import JobRecord, LegRecord
from pipeline.types.status import JobStatus, Tone
from pipeline.types.time_format import iso


class LegView(BaseModel):
    """The progress of one leg."""

    status: Literal["waiting", "running", "ok", "failed", "skipped"]
    done_s: float = Field(description="Seconds of audio processed so far.", examples=[312.5])
    total_s: float | None = Field(description="Length of the audio in seconds, once it is known.")
    text: str = Field(description="The last transcribed line.", examples=["Good morning, and welcome."])
    work_s: float | None = Field(description="Seconds that the leg took, once it has ended.")
    left_s: float | None = Field(description="About the seconds until a running leg ends, at its speed so far.")
    speed: float | None = Field(description="Seconds of audio that a running leg does in a second.")
    model: str
    reason: str = Field(description="Reason of a failed or skipped leg.")
    short: str = Field(description="The reason in a few words, if there are any.", examples=["no GPU here"])
    unavailable: bool = Field(description="Whether the leg was skipped because this machine cannot run it.")


class PlaceView(BaseModel):
    """The place of a waiting job in the queue."""

    leg: ModelLeg
    position: int = Field(description="1 is served next.")
    audio_s: float = Field(description="About the seconds of audio before it.")
    starts_in_s: float | None = Field(description="About the seconds until it begins; null while no speed is known.")


class JobView(BaseModel):
    """A job, with its progress and links."""

    id: str = Field(examples=["0123456789abcdef-01234567"])
    state: JobState
    status: JobStatus = Field(description="The state in words that say more.", examples=["transcribed + outline"])
    tone: Tone = Field(description="Whether the status is good news.")
    can_retry: bool = Field(description="Whether a retry can add something.")
    place: PlaceView | None = Field(description="Its place in the queue while it waits; null in events.")
    reason: str = Field(description="Reason of a failed, partial or cancelled job.")
    name: str = Field(description="The episode's title, or its file name.", examples=["Garden & tomatoes"])
    file_name: str = Field(description="File name of the audio.", examples=["ep-042.mp3"])
    show: str = Field(description="Name of the show; empty if unknown.")
    published_at: str | None = Field(description="Time of publication in ISO 8601, if a feed told it.")
    priority: int = Field(description="0 is served first.")
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


def view(record: JobRecord, request: Request, place: QueuePlace | None = None) -> JobView:
    """Return the response about a job."""
    spec = record.spec
    publication = spec.episode.publication
    return JobView(
        id=spec.job,
        state=record.state,
        status=record.status,
        tone=record.status.tone,
        can_retry=can_retry(record),
        place=PlaceView.model_validate(place, from_attributes=True) if place else None,
        reason=record.reason,
        name=record.title,
        file_name=spec.episode.file_name,
        show=record.show,
        published_at=publication.published_at if publication else None,
        priority=spec.priority,
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
        found["result"] = f"{own}/result"
    if has_content(record):
        found["player"] = f"{own}/player"
    return found


def can_retry(record: JobRecord) -> bool:
    """Whether a retry can add something to a job."""
    return record.state.is_final and (record.state is not JobState.COMPLETED or bool(missing_legs(record)))


def has_transcript(record: JobRecord) -> bool:
    """Whether the fast leg has stored a transcript."""
    outcome = record.legs["whisper"].outcome
    return record.has_reached(JobState.TRANSCRIBED) and outcome is not None and outcome.status == "ok"


def has_result(record: JobRecord) -> bool:
    """Whether the job has stored a `result.json`."""
    return record.state.is_final and record.state is not JobState.CANCELLED


def has_content(record: JobRecord) -> bool:
    """Whether an ended job has something to read or to listen to."""
    outcomes = (record.legs[leg].outcome for leg in MODEL_LEGS)
    return has_result(record) and any(it and it.status == "ok" for it in outcomes)


def _leg(leg: LegRecord, record: JobRecord) -> LegView:
    outcome = leg.outcome
    status = outcome.status if outcome else "waiting" if leg.started_at is None else "running"
    length_s = record.audio_s
    speed = _speed(leg) if status == "running" else None
    left_s = (leg.total_s or length_s or 0.0) - leg.done_s
    return LegView(
        status=status,
        done_s=length_s or leg.done_s if status == "ok" else leg.done_s,
        total_s=leg.total_s or length_s,
        text=leg.text,
        work_s=outcome.work_s if outcome else None,
        left_s=max(0.0, left_s) / speed if speed else None,
        speed=speed,
        model=outcome.model if outcome else "",
        reason=outcome.reason if outcome else "",
        short=outcome.short if outcome else "",
        unavailable=bool(outcome and outcome.unavailable),
    )


def _speed(leg: LegRecord) -> float | None:
    """Return the seconds of audio in a second since the leg began; None until that is worth telling."""
    took_s = (leg.seen_at or time.time()) - (leg.started_at or 0.0)
    return leg.done_s / took_s if leg.started_at and leg.done_s and took_s > 0 else None
