"""The broker dies, stands still, or is not there."""

import signal

import pytest
import redis

from pipeline import JobState, submit
from pipeline.errors import BrokerError
from pipeline.messaging import chord
from pipeline.settings import settings
from pipeline.state.job_store import JobStore
from pipeline.types.pools import POOLS
from tests.faults.fleet import LOOK_S, TIMEOUT_S, Fleet, is_consistent, runs, wait_until, windows

NOTICED = "Cannot connect to redis"
pytestmark = pytest.mark.xdist_group("fleet")


def test_a_broker_that_is_killed_and_started_again_costs_no_work(fleet: Fleet) -> None:
    # Given an episode at work and others that wait
    hold = fleet.stage.hold("whisper.broker.1")
    job = fleet.submit("broker")
    others = [fleet.submit(f"behind-{number}") for number in range(5)]
    wait_until(lambda: windows(fleet.stage, "whisper", "broker") == [0, 1], "it is at its second window")

    # When the broker is killed and started again
    fleet.processes["valkey"].kill()
    fleet.processes["valkey"].start()
    fleet.wait_for_broker()
    hold.unlink()

    # Then all end, and what was done is not done again
    assert [it.result(timeout=TIMEOUT_S).state for it in (job, *others)] == [JobState.COMPLETED] * 6
    assert windows(fleet.stage, "whisper", "broker") == [0, 1, 2]
    assert all(map(is_consistent, (job, *others)))


def test_workers_outlive_a_broker_that_is_away_for_a_while(fleet: Fleet) -> None:
    # Given an episode at work, and one that its worker has taken and not begun
    hold = fleet.stage.hold("whisper.away.1")
    jobs = [fleet.submit("away"), fleet.submit("taken")]
    wait_until(lambda: windows(fleet.stage, "whisper", "away") == [0, 1], "it is at its second window")
    before = {name: process.pid for name, process in fleet.processes.items() if name in POOLS}

    # When the broker is away until all workers have noticed it
    fleet.processes["valkey"].kill()
    for pool in POOLS:
        log, known = fleet.processes[pool].log, fleet.processes[pool].log.read_text().count(NOTICED)
        wait_until(lambda log=log, known=known: log.read_text().count(NOTICED) > known, f"{pool} noticed it")
    fleet.processes["valkey"].start()
    fleet.wait_for_broker()
    hold.unlink()

    # Then the same workers go on
    assert [job.result(timeout=TIMEOUT_S).state for job in jobs] == [JobState.COMPLETED] * 2
    assert {
        name: process.pid for name, process in fleet.processes.items() if process.is_running and name in POOLS
    } == before
    assert windows(fleet.stage, "whisper", "away") == [0, 1, 2]


def test_a_broker_that_stands_still_gives_no_worker_up(fleet: Fleet) -> None:
    # Given an episode at work
    hold = fleet.stage.hold("voxtral.pause.1")
    job = fleet.submit("pause")
    wait_until(lambda: windows(fleet.stage, "voxtral", "pause") == [0, 1], "it is at its second window")

    # When the broker does not answer for longer than a client waits, and for more looks than a worker may miss
    pause_s = settings().client_timeout_s + 20 * LOOK_S
    fleet.processes["valkey"].pause(pause_s)
    hold.unlink()

    # Then the same run goes on
    assert job.result(timeout=TIMEOUT_S).state is JobState.COMPLETED
    assert windows(fleet.stage, "voxtral", "pause") == [0, 1, 2]
    assert len(runs(fleet.stage, "voxtral", "pause")) == 1


def test_a_broker_that_refuses_is_said_at_once_and_nothing_is_half_submitted(fleet: Fleet) -> None:
    fleet.processes["valkey"].kill()

    with pytest.raises(BrokerError, match=r"does not answer .*; start it, or set DUET_BROKER_URL"):
        fleet.submit("refused")

    fleet.processes["valkey"].start()
    fleet.wait_for_broker()
    assert not any("refused" in record.spec.episode.slug for record in everything() if record)


def test_a_client_that_has_submitted_before_submits_again_when_the_broker_is_back(fleet: Fleet) -> None:
    fleet.submit("before").result(timeout=TIMEOUT_S)
    fleet.processes["valkey"].kill()
    fleet.processes["valkey"].start()
    fleet.wait_for_broker()

    assert fleet.submit("after").result(timeout=TIMEOUT_S).state is JobState.COMPLETED


def test_a_job_that_was_noted_and_not_sent_is_sent_by_the_clock(fleet: Fleet, monkeypatch: pytest.MonkeyPatch) -> None:
    # Given a broker that went away between the note and the messages
    def refuse(*_: object) -> None:
        raise redis.ConnectionError("gone")

    with monkeypatch.context() as patch:
        patch.setattr(chord, "send", refuse)
        with pytest.raises(BrokerError, match="does not answer"):
            fleet.submit("noted")
    record = everything()[-1]
    assert record is not None

    # When nobody does anything, then it is run all the same, once
    job = submit(fleet.audio("noted"), to=fleet.results)
    assert job.spec == record.spec
    assert job.result(timeout=TIMEOUT_S).state is JobState.COMPLETED
    assert len(runs(fleet.stage, "whisper", "noted")) == 1


def test_messages_that_vanished_are_sent_again(fleet: Fleet) -> None:
    # Given an episode that waits behind another one
    hold = fleet.stage.hold("whisper.first.0")
    fleet.submit("first")
    wait_until(lambda: windows(fleet.stage, "whisper", "first") == [0], "the first is at work")
    job = fleet.submit("vanished")

    # When its messages go the way of one whose worker dies with it in its hands
    assert fleet.drop_messages("whisper") == 2, "the lists of transcripts and of speakers"
    hold.unlink()

    # Then it is sent again
    assert job.result(timeout=TIMEOUT_S).state is JobState.COMPLETED
    assert is_consistent(job)


def test_everything_killed_at_once_goes_on_when_it_is_started_again(fleet: Fleet) -> None:
    # Given a batch at work
    fleet.stage.hold("whisper.host-1.1")
    jobs = [fleet.submit(f"host-{number}") for number in range(6)]
    wait_until(lambda: windows(fleet.stage, "whisper", "host-1") == [0, 1], "the second is at work")

    # When the machine goes, and comes back
    for process in fleet.processes.values():
        process.send(signal.SIGSTOP)  # nobody may notice that the others are gone
    for process in fleet.processes.values():
        process.kill()
    (fleet.stage.folder / "hold-whisper.host-1.1").unlink()
    fleet.revive()
    fleet.wait_for_broker()

    # Then all are done, and what was finished is not done again
    assert [job.result(timeout=TIMEOUT_S).state for job in jobs] == [JobState.COMPLETED] * 6
    assert windows(fleet.stage, "whisper", "host-1") == [0, 1, 1, 2]
    assert all(map(is_consistent, jobs))


def everything() -> list:
    job_store = JobStore()
    return list(job_store.get_many(job_store.jobs()))
