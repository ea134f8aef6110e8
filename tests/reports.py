"""Reports of made-up batches, for tests of the page."""

import random
from collections.abc import Iterator

from pipeline.client.episode_row import EpisodeRow
from pipeline.client.report import reported_episode
from pipeline.client.report.about import About
from pipeline.client.report.page import render
from pipeline.client.report.totals import missed, totals
from pipeline.types import LEGS, Episode, JobSpec, JobState, LegOutcome, Options, Publication
from pipeline.types.batch_record import Entry
from pipeline.types.records import JobRecord, LegRecord
from pipeline.types.report import BatchReport, LeftOut

DESTINATION = "file:///podcasts/results%20%231"
FILES = frozenset({"player.html", "notes.md", "transcript.txt", "transcript.srt"})
NO_GPU = LegOutcome(
    leg="voxtral",
    status="skipped",
    short="no GPU here",
    reason="Voxtral needs a CUDA device and this machine has no NVIDIA driver; run the voxtral pool elsewhere.",
    unavailable=True,
)
ABOUT = "Many people put their tomatoes outside on the first warm morning, and lose every plant in one cold night."


def page_of(count: int, *, voxtral: bool = False) -> str:
    """Return the page of a batch in which every ninth episode failed and every seventh is partial."""
    rows = list(_rows(count, voxtral=voxtral))
    abouts = [_about(row) for row in rows]
    report = BatchReport(
        batch="261127-2201-3f9a",
        created_at="2026-11-27T22:01:00.000+00:00",
        written_at="2026-11-27T23:01:00.000+00:00",
        places=("/podcasts/show",),
        destination="/podcasts/results #1",
        options={},
        states={},
        totals=totals(rows, [it.words for it in abouts], 3600.0),
        missed=tuple(missed(rows)),
        episodes=tuple(reported_episode(row, it) for row, it in zip(rows, abouts, strict=True)),
        skipped=(LeftOut(source="/podcasts/show/notes.txt", reason="it is not audio"),),
    )
    return render(report, rows, abouts, DESTINATION)


def _about(row: EpisodeRow) -> About:
    if row.state is JobState.FAILED:
        return About()
    return About(FILES, ABOUT, ("tomatoes", "soil"), is_quoted=row.has_outline, words=9_000)


def _rows(count: int, *, voxtral: bool) -> Iterator[EpisodeRow]:
    generator = random.Random(0)
    for number in range(count):
        spec = _spec(number)
        audio_s = generator.uniform(600, 7200)
        whisper = LegOutcome(leg="whisper", status="ok", audio_s=audio_s, work_s=audio_s / generator.gauss(60, 8))
        understood = LegOutcome(leg="voxtral", status="ok", work_s=audio_s / generator.gauss(9, 1), device="cuda:0")
        state = JobState.COMPLETED
        if number % 9 == 8:
            state = JobState.FAILED
            whisper = LegOutcome(leg="whisper", status="failed", short="no audio", reason="It cannot be decoded.")
        elif number % 7 == 6:
            state = JobState.PARTIAL
            whisper = whisper.model_copy(update={"flaws": ("File is cut off: 0:17 of 1:06 is there (0:49 missing).",)})
        legs = {"whisper": whisper, "voxtral": understood if voxtral else NO_GPU}
        record = JobRecord(
            spec=spec,
            state=state,
            submitted_at=1e9 + number,
            ended_at=1e9 + number + 90 + generator.uniform(0, 60),
            reason="Whisper: It cannot be decoded." if state is JobState.FAILED else "",
            legs={leg: LegRecord(outcome=legs.get(leg)) for leg in LEGS},
        )
        yield EpisodeRow(spec.episode.source, Entry(spec.job, spec.episode.source, spec.uri, 1000), record)


def _spec(number: int) -> JobSpec:
    identity = f"{number:016x}"
    episode = Episode(
        id=identity,
        source=f"/podcasts/show/ep {number}?.mp3",
        slug=f"ep-{number}",
        size_bytes=1000,
        publication=Publication(
            feed="https://x.org/feed",
            show="Garden & kitchen",
            title=f"Episode {number}: <tomatoes> & a rather long title of an episode",
            published_at="2026-01-02T03:04:05+00:00",
        ),
    )
    uri = f"{DESTINATION}/ep-{number}-{identity}"
    return JobSpec(
        job=f"{identity}-01234567",
        attempt=1,
        episode=episode,
        options=Options(),
        audio_uri="file:///podcasts/show/ep.mp3",
        uri=uri,
    )
