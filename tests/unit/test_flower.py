"""The words in which Flower tells, made from what Celery's events carry."""

import copy
from collections.abc import Iterator
from typing import Any

import pytest
from celery.events.state import Task

from pipeline.errors import SettingsError, StackError
from pipeline.messaging.chord import STEPS
from pipeline.monitoring.flower import launch
from pipeline.monitoring.flower.end_event import end_event
from pipeline.monitoring.flower.task_format import format_task, progress_result
from pipeline.monitoring.flower.task_search import JobSearch, by_job, siblings
from pipeline.settings import settings
from pipeline.types import LegOutcome
from pipeline.types.status import JobStatus
from tests.duet import Duet
from tests.services import free_ports

OK = LegOutcome(leg="whisper", status="ok", audio_s=2530.0, work_s=41.5, model="whisper-base", device="cpu")


def task(name: str = "tasks.transcribe", args: str = "/podcasts/ep-042.mp3", **fields: object) -> Any:
    """Return a task as Flower hands it to be put into words: copied, which loses what Celery does not know."""
    return copy.copy(Task(uuid="x", **({"name": name, "args": args, "result": None, "state": "STARTED"} | fields)))


@pytest.fixture
def auth(monkeypatch: pytest.MonkeyPatch) -> Iterator[pytest.MonkeyPatch]:
    yield monkeypatch
    settings.cache_clear()


def test_a_leg_at_work_says_what_it_does_and_how_far_it_is() -> None:
    told = format_task(task(state="PROGRESS", result=progress_result(1087.9, 2530.0)))

    assert told.name == "transcribe · ep-042.mp3 · 00:42:10"
    assert (told.state, told.result) == ("43 %", "00:18:08 of 00:42:10")


def test_a_leg_that_does_not_know_how_much_there_is_to_do_has_begun() -> None:
    assert format_task(task(state="PROGRESS", result=progress_result(0.0, 0.0))).state == "STARTED"


def test_a_leg_that_has_ended_says_how() -> None:
    told = format_task(task(state="SUCCESS", result=repr(OK.to_message())))
    assert told.name == "transcribe · ep-042.mp3 · 00:42:10"
    assert told.result == "ok in 41.5 s, whisper-base on cpu"

    failed = LegOutcome(leg="voxtral", status="skipped", reason="It's off, as there is no card.")
    told = format_task(task("tasks.analyze", state="SUCCESS", result=repr(failed.to_message())))
    assert told.name == "analyze · ep-042.mp3"
    assert (told.state, told.result) == ("skipped", "skipped: It's off, as there is no card.")


def test_a_task_that_celery_sent_again_reads_the_same() -> None:
    # Given the arguments as Celery prints them, from a feed
    args = "({'job': 'x', 'attempt': 1, 'episode': {'id': 'a', 'source': 'https://x.org/a%20b.mp3?t=1'}}, ...)"

    told = format_task(task("tasks.merge", args, result="{'job': 'x', 'state': 'completed', 'uri': 'file:///r'}"))

    assert (told.name, told.args) == ("merge · a b.mp3", "https://x.org/a%20b.mp3?t=1")
    assert told.result == "completed · file:///r"


def test_a_merge_tells_in_the_words_of_all_screens_how_its_job_and_its_legs_ended() -> None:
    legs = {
        "whisper": {"status": "ok", "short": "", "work_s": 41.5},
        "voxtral": {"status": "skipped", "short": "no GPU here", "work_s": 0.0},
    }
    ended = {"job": "x", "state": "completed", "uri": "file:///r", "reason": "", "legs": legs}

    told = format_task(
        task("tasks.merge", state="SUCCESS", result=repr(ended | {"status": JobStatus.TRANSCRIBED.value}))
    )

    words = "transcribed + outline · Whisper 41.5 s · Voxtral skipped (no GPU here) · file:///r"
    assert (told.state, told.result) == ("SUCCESS", words)


@pytest.mark.parametrize(
    ("result", "event"),
    [
        ({"leg": "whisper", "status": "ok"}, "task-succeeded"),
        ({"leg": "voxtral", "status": "skipped", "reason": "off"}, "task-succeeded"),
        ({"leg": "whisper", "status": "failed", "reason": "broken"}, "task-failed"),
        ({"job": "x", "state": "failed"}, "task-failed"),
        ({"job": "x", "state": "partial"}, "task-partial"),
        ({"job": "x", "state": "completed", "reason": "it says 'state': 'failed'"}, "task-succeeded"),
        (None, "task-succeeded"),
    ],
)
def test_an_outcome_that_failed_is_an_event_that_failed(result: object, event: str) -> None:
    assert end_event(repr(result)) == event


def test_the_words_of_a_partial_job_replace_celerys() -> None:
    told = format_task(task("tasks.merge", state="PARTIAL", result="{'state': 'partial', 'reason': 'Voxtral: lost.'}"))

    assert (told.state, told.result) == ("partial", "partial: Voxtral: lost.")


def test_the_legs_of_a_job_stay_beside_their_merge() -> None:
    # Given two jobs whose tasks arrived mixed
    received = {"a.whisper.1": 1.0, "b.whisper.1": 2.0, "b.voxtral.1": 3.0, "a.voxtral.1": 4.0, "a.merge.1": 5.0}

    newest_first = list(by_job(received, descending=True))

    assert newest_first == ["a.merge.1", "a.voxtral.1", "a.whisper.1", "b.voxtral.1", "b.whisper.1"]


def test_a_name_leads_to_all_tasks_of_its_episode() -> None:
    engine = JobSearch()
    tasks = {}
    for number, (step, source) in enumerate(
        [("transcribe", "/p/a b.mp3"), ("merge", "https://x.org/a%20b.mp3?t=1"), ("merge", "/p/other.mp3")]
    ):
        tasks[str(number)] = Task(uuid=str(number), name=f"tasks.{step}", args=source, state="SUCCESS", received=number)
        engine.upsert(tasks[str(number)])
    name = format_task(copy.copy(tasks["0"])).name

    found = engine.search(tasks, f"name:{name} · 00:42:10", sort_by="received", descending=True, limit=15)

    assert (found.task_ids, found.filtered_count, found.total_count) == (["1", "0"], 2, 3)
    assert siblings("state:FAILURE ep-042") == "state:FAILURE ep-042"


@pytest.mark.parametrize("result", [None, "{'leg': 'whisper', 'sta...", "None", "42", "{"])
def test_a_result_that_cannot_be_read_stays_as_it_is(result: str | None) -> None:
    assert format_task(task(result=result)).result == result


def test_tasks_of_others_stay_as_they_are() -> None:
    other = task("celery.backend_cleanup", "()")
    assert format_task(other) is other
    assert other.name == "celery.backend_cleanup"
    assert all(name.startswith("tasks.") for name, _ in STEPS.values())


@pytest.mark.parametrize("value", ["", "me", "me:", ":secret"])
def test_without_a_password_there_is_no_flower(auth: pytest.MonkeyPatch, value: str) -> None:
    auth.setenv("DUET_FLOWER_AUTH", value)
    settings.cache_clear()
    with pytest.raises(SettingsError, match="DUET_FLOWER_AUTH"):
        launch.credentials()


def test_a_port_that_is_taken_is_said_before_anything_starts(auth: pytest.MonkeyPatch) -> None:
    import socket

    auth.setenv("DUET_FLOWER_AUTH", "me:secret")
    settings.cache_clear()
    (port,) = free_ports(1)
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", port))
        taken.listen()
        with pytest.raises(StackError, match=str(port)):
            launch.check("127.0.0.1", port)


def test_the_password_is_on_no_command_line(auth: pytest.MonkeyPatch) -> None:
    auth.setenv("DUET_FLOWER_AUTH", "me:secret")
    settings.cache_clear()
    assert "secret" not in " ".join(launch.command("127.0.0.1", 5555))


def test_duet_up_says_in_one_sentence_that_flower_needs_a_password(duet: Duet) -> None:
    done = duet("up", "--flower")

    assert done.code == 1
    assert done.err.count(".") == 1
    assert "DUET_FLOWER_AUTH=user:password" in done.err
    assert not (duet.state / "broker.url").exists()
