"""The clock's list, and the lock that keeps two runs of one task apart."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from beat.periodic import PeriodicTask
from beat.schedule import SCHEDULE
from pipeline import heartbeat
from pipeline.celery import QUEUES, app, make_app
from pipeline.settings import settings
from tests.services import start_valkey


@pytest.fixture
def broker(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    with start_valkey(tmp_path) as url:
        monkeypatch.setenv("DUET_BROKER_URL", url)
        settings.cache_clear()
        yield url
    settings.cache_clear()


@pytest.mark.parametrize("name", SCHEDULE)
def test_what_the_clock_sends_has_a_worker_and_does_not_pile_up(name: str) -> None:
    entry = SCHEDULE[name]
    task = app.tasks[entry["task"]]

    assert isinstance(task, PeriodicTask)
    assert entry["options"]["queue"] in QUEUES
    assert entry["options"]["expires"] <= entry["schedule"]


def test_a_clock_that_goes_sends_something_well_before_its_mark_is_gone() -> None:
    assert 3 * min(entry["schedule"] for entry in SCHEDULE.values()) <= heartbeat.KEPT_S


def test_a_second_run_beside_the_first_does_nothing(broker: str) -> None:
    # Given a task of the clock that is at work
    runs = []

    class Nested(PeriodicTask):
        name = "tests.nested"

        def run(self) -> Any:
            runs.append("run")
            return self()

    task = make_app(broker).register_task(Nested())

    # When the message of another clock starts it once more
    task()

    # Then that one stays out, and the next one, when the first has ended, does not
    assert runs == ["run"]
    task()
    assert runs == ["run", "run"]
