"""The words, the title and the end of a job, from the outcomes of its legs."""

from typing import Any

import pytest

from pipeline.results.shortfalls import shortfalls, state_of
from pipeline.types import LEGS, Episode, FileTags, JobSpec, JobState, JobStatus, Leg, LegOutcome, Options, Publication
from pipeline.types.records import JobRecord, LegRecord

NO_VOXTRAL = LegOutcome(leg="voxtral", status="skipped", reason="No card.", short="no GPU here", unavailable=True)
NOT_FOUND = NO_VOXTRAL.model_copy(update={"unavailable": False})
HEARD = LegOutcome(leg="whisper", status="ok", audio_s=60.0)
SPEAKERS = LegOutcome(leg="speakers", status="skipped")


def ended(voxtral: LegOutcome, **options: Any) -> JobState:
    legs: dict[Leg, LegOutcome] = {"whisper": HEARD, "voxtral": voxtral, "speakers": SPEAKERS}
    return state_of(legs, shortfalls(legs, Options(**options)))


def record(state: JobState, publication: Publication | None = None, **legs: LegRecord) -> JobRecord:
    every = {leg: legs.get(leg, LegRecord()) for leg in LEGS}
    episode = Episode(id=16 * "a", source="/shows/ep-042.mp3", slug="ep-042", size_bytes=1, publication=publication)
    job = f"{episode.id}-{8 * 'b'}"
    spec = JobSpec(job=job, attempt=1, episode=episode, options=Options(), audio_uri="", uri="file:///out/ep-042")
    return JobRecord(spec=spec, state=state, submitted_at=1.0, legs=every)


def test_a_machine_that_cannot_run_voxtral_has_lost_nothing() -> None:
    assert ended(NO_VOXTRAL) is JobState.COMPLETED


def test_voxtral_that_could_have_run_is_missed() -> None:
    assert ended(NOT_FOUND) is JobState.PARTIAL


@pytest.mark.parametrize(
    "asked", [{"questions": ("Why?",)}, {"translate_to": "German"}, {"reply": True}, {"second_opinion": "full"}]
)
def test_voxtral_is_missed_by_a_job_that_asks_for_what_only_it_can_do(asked: dict[str, Any]) -> None:
    assert ended(NO_VOXTRAL, **asked) is JobState.PARTIAL


def test_a_missing_leg_can_be_retried_although_nothing_fell_short() -> None:
    assert NO_VOXTRAL.is_missing(Options())
    assert not NO_VOXTRAL.falls_short(Options())


@pytest.mark.parametrize(
    ("state", "legs", "status"),
    [
        (JobState.SUBMITTED, {}, JobStatus.WAITING),
        (JobState.RUNNING, {"voxtral": LegRecord(started_at=1.0, ended_at=2.0, outcome=NO_VOXTRAL)}, JobStatus.WAITING),
        (JobState.RUNNING, {"whisper": LegRecord(started_at=1.0)}, JobStatus.WORKING),
        (JobState.TRANSCRIBED, {"whisper": LegRecord(started_at=1.0, ended_at=2.0)}, JobStatus.TRANSCRIPT_READY),
        (JobState.TRANSCRIBED, {"voxtral": LegRecord(started_at=1.0)}, JobStatus.ANALYZING),
        (JobState.COMPLETED, {}, JobStatus.COMPLETED),
        (JobState.PARTIAL, {"voxtral": LegRecord(outcome=NO_VOXTRAL)}, JobStatus.PARTIAL),
        (
            JobState.COMPLETED,
            {"whisper": LegRecord(outcome=HEARD), "voxtral": LegRecord(outcome=NO_VOXTRAL)},
            JobStatus.TRANSCRIBED,
        ),
    ],
)
def test_the_status_says_what_has_been_done(state: JobState, legs: dict[str, LegRecord], status: JobStatus) -> None:
    assert record(state, **legs).status is status


def test_the_title_is_the_feeds_then_the_tags_then_the_files_name() -> None:
    tagged = LegRecord(outcome=HEARD.model_copy(update={"tags": FileTags(title="From the tags", show="Their album")}))
    publication = Publication(feed="https://example.org/feed", show="The feed's show", title="From the feed")

    published = record(JobState.COMPLETED, publication, whisper=tagged)
    assert (published.title, published.show) == ("From the feed", "The feed's show")
    local = record(JobState.COMPLETED, whisper=tagged)
    assert (local.title, local.show) == ("From the tags", "Their album")
    bare = record(JobState.COMPLETED)
    assert (bare.title, bare.show) == ("ep-042.mp3", "")


def test_tags_are_short_and_on_one_line() -> None:
    tags = FileTags(title="two\nlines\x1b[2J" + "x" * 1000)
    assert tags.title.startswith("two lines[2Jxx")
    assert len(tags.title) == 500
