"""Tables and sentences of the terminal at 80 and 140 columns."""

import io
import time
from typing import Any

import pytest
from rich.console import Console

from pipeline.cli import cells, display
from pipeline.cli.live_view import live
from pipeline.cli.next_step import next_step
from pipeline.client.batch_progress import BatchTotals
from pipeline.client.dead_letters import DeadLetter, by_reason, unique_starts
from pipeline.client.episode_row import EpisodeRow
from pipeline.types import Episode, JobSpec, JobState, LegOutcome, Options, Publication
from pipeline.types.batch_record import Entry
from pipeline.types.records import JobRecord, LegRecord

NO_VOXTRAL = LegOutcome(
    leg="voxtral",
    status="skipped",
    reason="Voxtral needs many things; get them.",
    short="no GPU here",
    unavailable=True,
)
OK = LegOutcome(leg="whisper", status="ok", audio_s=754.0, work_s=8.1)
WIDTHS = pytest.mark.parametrize("width", [80, 140])


def row(
    name: str, state: JobState, *outcomes: LegOutcome, title: str = "", reason: str = "", was_done: bool = False
) -> EpisodeRow:
    """Return a row of a batch, whose legs began at 100 s after the epoch and ended at 110 s."""
    publication = Publication(feed="https://example.org/feed", title=title) if title else None
    episode = Episode(
        id="0123456789abcdef", source=f"shows/{name}", slug="ep", size_bytes=1000, publication=publication
    )
    spec = JobSpec(
        job="0123456789abcdef-01234567",
        attempt=1,
        episode=episode,
        options=Options(),
        audio_uri="",
        uri=f"file:///results/{name}-0123456789abcdef",
    )
    legs: dict[str, LegRecord] = dict.fromkeys(("whisper", "voxtral", "speakers"), LegRecord())
    for it in outcomes:
        legs[it.leg] = LegRecord(started_at=100.0, ended_at=110.0, outcome=it)
    record = JobRecord(
        spec=spec, state=state, submitted_at=90.0, transcribed_at=108.0, ended_at=110.0, reason=reason, legs=legs
    )
    return EpisodeRow(episode.source, Entry(spec.job, episode.source, spec.uri, 1000, was_done), record)


def lines_of(shown: Any, width: int) -> list[str]:
    console = Console(file=io.StringIO(), width=width, height=20)
    console.print(shown)
    return console.file.getvalue().splitlines()  # type: ignore[attr-defined]


@WIDTHS
def test_an_episode_is_one_line_whatever_its_name(width: int) -> None:
    long = "The one about everything that there is to say of gardens, in the 12th part of a series that has no end"
    rows = [row(f"{number}.mp3", JobState.COMPLETED, OK, NO_VOXTRAL, title=f"{long} {number}") for number in (10, 2)]

    header, *lines = lines_of(display.final(rows), width)

    assert max(map(len, [header, *lines])) <= width
    assert "…" in lines[0]
    assert all("12:34" in line and "18.0 s" in line and "20.0 s" in line for line in lines[:2])
    assert all(line.rstrip().endswith("transcribed + outline") for line in lines[:2])


@WIDTHS
def test_a_reason_that_many_have_is_told_once(width: int) -> None:
    rows = [row(f"{number}.mp3", JobState.COMPLETED, OK, NO_VOXTRAL) for number in range(3)]

    shown = " ".join(" ".join(lines_of(display.final(rows), width)).split())

    assert "3 episodes have an outline instead of an analysis: no GPU here. `duet doctor` shows three ways." in shown
    assert "Voxtral needs many things" not in shown


def test_a_file_that_cannot_be_read_is_told_without_voxtral() -> None:
    broken = LegOutcome(leg="whisper", status="failed", reason="a.mp3 cannot be decoded; copy it again.")
    failed = row("a.mp3", JobState.FAILED, broken, NO_VOXTRAL, reason="Whisper: both; Voxtral: sentences.")

    assert failed.shortfalls == ("a.mp3 cannot be decoded; copy it again.",)
    shown = lines_of(display.final([failed]), 80)
    assert "✗ a.mp3" in [line.strip() for line in shown]
    assert shown[1].rstrip().endswith("failed")


def test_names_are_sorted_as_people_look_for_them() -> None:
    names = ["ep 10.mp3", "Ep 2.mp3", "another.mp3"]
    shown = lines_of(display.final([row(name, JobState.COMPLETED, OK) for name in names]), 80)

    assert [line.split(".mp3")[0] for line in shown[1:4]] == ["another", "Ep 2", "ep 10"]


def test_files_of_one_title_are_told_apart_by_their_names() -> None:
    rows = [row(name, JobState.COMPLETED, OK, title="Episode") for name in ("a.mp3", "b.mp3")]

    shown = lines_of(display.final(rows), 80)

    assert [line.split()[0] for line in shown[1:3]] == ["a.mp3", "b.mp3"]


@pytest.mark.parametrize(
    ("name", "shown"),
    [("short.mp3", "short.mp3"), ("a long name.mp3", "a long …mp3"), ("日本語のポッドキャスト", "日本語…ト")],
)
def test_a_name_gives_up_its_middle(name: str, shown: str) -> None:
    assert cells.shortened(name, 11) == shown


def test_colours_are_for_those_who_want_them(monkeypatch: pytest.MonkeyPatch) -> None:
    def printed() -> str:
        console = Console(file=io.StringIO(), force_terminal=True, width=80)
        console.print(cells.status(row("a.mp3", JobState.COMPLETED, OK, NO_VOXTRAL).status))
        return console.file.getvalue()  # type: ignore[attr-defined]

    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.delenv("NO_COLOR", raising=False)
    assert "\x1b[32m" in printed(), "what a laptop can do is a success"
    monkeypatch.setenv("NO_COLOR", "1")
    assert printed().strip() == "transcribed + outline"


def test_the_speed_counts_what_was_done_for_this_batch_only() -> None:
    sums = BatchTotals()
    broken = LegOutcome(leg="whisper", status="failed", reason="Broken.")
    for it in (
        row("a.mp3", JobState.COMPLETED, OK, NO_VOXTRAL),
        row("b.mp3", JobState.COMPLETED, OK, NO_VOXTRAL, was_done=True),
        row("c.mp3", JobState.FAILED, broken, NO_VOXTRAL),
    ):
        sums.add(it)

    assert sums.speed(110.0) == pytest.approx(75.4)
    assert sums.worked_bytes == 1000
    assert "(75x): 1 failed" not in display.summary(sums, 20.0, "3 new")
    assert "(75x): 2 transcribed + outline, 1 failed (3 new)." in display.summary(sums, 20.0, "3 new")


class Watched:
    """A batch as the live view sees it, with as many rows as are asked for."""

    def __init__(self, rows: list[EpisodeRow]) -> None:
        self.rows, self.sums = rows, BatchTotals()
        self.open_count, self.open_bytes = len(rows), 1000
        self.destination = "file:///results"

    def shown(self, most: int) -> list[EpisodeRow]:
        return self.rows[:most]


@pytest.mark.parametrize("height", [12, 20, 24])
@WIDTHS
def test_the_live_view_fits_the_terminal(width: int, height: int) -> None:
    watched = Watched([row(f"{number}.mp3", JobState.SUBMITTED) for number in range(30)])

    shown = lines_of(live(watched, {}, "30 new", width, height), width)  # type: ignore[arg-type]

    assert len(shown) < height
    assert "0 of 30 episodes" in shown[0]
    assert "waiting for Whisper's pool" in shown[1]
    assert "more" in shown[-1]


def test_the_model_that_everything_waits_for_is_named_with_the_time() -> None:
    watched = Watched([row("a.mp3", JobState.RUNNING, NO_VOXTRAL)])
    pools = {"whisper": {"status": "loading", "began_at": str(time.time() - 100)}}

    shown = lines_of(live(watched, pools, "1 new", 80, 24), 80)  # type: ignore[arg-type]

    assert "loading Whisper, 10" in shown[1]
    assert shown[-1].rstrip().endswith("waiting"), "a skipped leg is no work"
    assert "voxtral" not in shown[2]


def test_the_next_step_is_a_command_that_works() -> None:
    done = row("garden.mp3", JobState.COMPLETED, OK)

    shown = next_step(Watched([]), [done], "file:///results/batch.html").plain  # type: ignore[arg-type]

    assert "Results are in /results, the report is batch.html." in shown
    assert "Open /results/garden.mp3-0123456789abcdef/player.html" in shown
    assert "`duet show garden.mp3 --in /results`" in shown


def test_jobs_that_failed_alike_are_listed_together() -> None:
    letters = []
    for name in ("a.mp3", "b.mp3"):
        broken = LegOutcome(leg="whisper", status="failed", reason=f"{name} cannot be decoded; copy it again.")
        record = row(name, JobState.FAILED, broken, NO_VOXTRAL).record
        assert record
        letters.append(DeadLetter(record))

    ((reasons, its),) = by_reason(letters).items()

    assert reasons == ("The file cannot be decoded; copy it again.",)
    assert [it.title for it in its] == ["a.mp3", "b.mp3"]


def test_an_id_is_as_short_as_it_can_be() -> None:
    same, other = "0123456789abcdef-01234567", "0123456789abcdef-0f234567"

    assert unique_starts([same], [same, "f123456789abcdef-01234567"]) == {same: "01234567"}
    assert unique_starts([same, other], [same, other]) == {same: same[:19], other: other[:19]}
