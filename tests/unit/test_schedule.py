"""The clock's list, and the lock that keeps two runs of one task apart."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from beat.periodic import PeriodicTask
from beat.schedule import SCHEDULE
from pipeline.celery import app
from pipeline.messaging.app import QUEUES, make_app
from pipeline.settings import settings
from pipeline.state import beat_heartbeat
from pipeline.state.redis import connect
from tests.services import start_valkey

TIMEOUT_S = 10.0


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
    assert task.interval_s == entry["schedule"]


@pytest.mark.parametrize("name", SCHEDULE)
def test_what_the_clock_sends_has_no_time_of_its_machine_that_a_worker_would_compare_with_its_own(
    broker: str, name: str
) -> None:
    entry = SCHEDULE[name]
    sender, options = make_app(broker), entry["options"]
    with sender.connection_for_write() as connection:
        sender.send_task(entry["task"], connection=connection, **options)
        message = connection.SimpleQueue(sender.amqp.queues[options["queue"]]).get(timeout=TIMEOUT_S)
        message.ack()

    assert (message.headers["task"], message.headers["expires"], message.headers["eta"]) == (entry["task"], None, None)


def test_of_what_piled_up_one_is_run(broker: str) -> None:
    # Given a task of the clock, and many messages for it that nobody took
    runs = []

    class Piled(PeriodicTask):
        name = "tests.piled"
        interval_s = 3600.0

        def run(self) -> None:
            runs.append("run")

    task = make_app(broker).register_task(Piled())

    # When a worker comes, then it runs one of them, and the next one when its time has come
    for _ in range(5):
        task.apply()
    assert runs == ["run"]
    connect(broker).delete("duet:clock:tests.piled:began")
    task.apply()
    assert runs == ["run", "run"]


def test_a_clock_that_goes_sends_something_well_before_its_mark_is_gone() -> None:
    assert 3 * min(entry["schedule"] for entry in SCHEDULE.values()) <= beat_heartbeat.KEPT_S


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
