"""SQS (moto's server) carries the messages, a real Valkey keeps the state: the same way of an episode."""

import os
import signal
from collections.abc import Iterator
from pathlib import Path

import boto3
import pytest

from pipeline import JobState, submit
from pipeline.errors import BrokerError
from pipeline.settings import settings
from pipeline.state.redis import state_url
from tests.faults.fleet import TIMEOUT_S, Fleet, is_consistent, wait_until, windows
from tests.services import start_aws

pytestmark = pytest.mark.xdist_group("sqs")

POOLS = ("whisper", "voxtral", "cpu")


@pytest.fixture(scope="module")
def fleet(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Fleet]:
    """A broker for the state, SQS for the queues, a worker of each pool and the clock."""
    folder = tmp_path_factory.mktemp("sqs")
    own = {"AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test", "AWS_DEFAULT_REGION": "us-east-1"}
    with start_aws(folder) as aws, pytest.MonkeyPatch.context() as patch:
        fleet = Fleet(folder, DUET_BROKER_URL=aws.replace("http://", "sqs://test:test@") + "//", **own)
        fleet.variables["DUET_STATE_URL"] = fleet.url
        for name, value in own.items():
            patch.setenv(name, value)
        try:
            fleet.start_broker()
            for pool in POOLS:
                fleet.start_worker(pool)
            fleet.start_clock()
            with fleet.client():
                yield fleet
        finally:
            fleet.stop()


def test_an_episode_is_heard_by_both_and_merged(fleet: Fleet) -> None:
    job = fleet.submit("by-sqs")
    assert job.result(timeout=TIMEOUT_S).state is JobState.COMPLETED
    assert is_consistent(job)
    # The clock's own tasks are in there, too, at any time.
    wait_until(lambda: not [it for it in fleet.messages() if job.id in it], "nothing of it waits or is at work")


def test_queues_keep_messages_as_long_as_they_can(fleet: Fleet) -> None:
    address = fleet.variables["DUET_BROKER_URL"].replace("sqs://test:test@", "http://").rstrip("/")
    sqs = boto3.client("sqs", endpoint_url=address)
    kept = [
        sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["MessageRetentionPeriod"])["Attributes"]
        for url in sqs.list_queues(QueueNamePrefix="duet-")["QueueUrls"]
    ]
    assert kept == [{"MessageRetentionPeriod": str(14 * 24 * 3600)}] * len(POOLS)


def test_the_work_of_a_worker_lost_without_a_word_is_taken_up(fleet: Fleet) -> None:
    # Given an episode at work
    hold = fleet.stage.hold("whisper.lost.2")
    job = fleet.submit("lost")
    wait_until(lambda: windows(fleet.stage, "whisper", "lost") == [0, 1, 2], "it is at its third window")

    # When its worker is gone, then another one goes on, long before SQS would show the message again
    fleet.processes["whisper"].kill()
    hold.unlink()
    fleet.start_worker("whisper")
    assert job.result(timeout=3 * TIMEOUT_S).state is JobState.COMPLETED
    assert windows(fleet.stage, "whisper", "lost") == [0, 1, 2, 2]


def test_a_worker_that_is_told_to_stop_hands_over(fleet: Fleet) -> None:
    hold = fleet.stage.hold("voxtral.told.1")
    job = fleet.submit("told")
    wait_until(lambda: windows(fleet.stage, "voxtral", "told") == [0, 1], "it is at its second window")
    fleet.processes["voxtral"].send(signal.SIGTERM)
    fleet.processes["voxtral"].wait()
    fleet.start_worker("voxtral")
    hold.unlink()
    assert job.result(timeout=TIMEOUT_S).state is JobState.COMPLETED
    assert windows(fleet.stage, "voxtral", "told") == [0, 1, 1, 2]


def test_a_job_is_cancelled(fleet: Fleet) -> None:
    fleet.stage.hold("whisper.unwanted.1")
    job = fleet.submit("unwanted")
    wait_until(lambda: windows(fleet.stage, "whisper", "unwanted") == [0, 1], "it is at work")
    assert job.cancel()
    wait_until(lambda: job.state is JobState.CANCELLED, "it is cancelled")


@pytest.mark.parametrize(
    ("broker", "state", "sentence"),
    [
        ("sqs://", None, "set DUET_STATE_URL=redis://host:6379/0 as well"),
        ("sqs://", "sqs://", "set DUET_STATE_URL=redis://host:6379/0 as well"),
        ("redis://one:6379/0", "redis://two:6379/0", "unset it here"),
    ],
)
def test_two_places_that_do_not_fit_are_said(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, broker: str, state: str | None, sentence: str
) -> None:
    for name in [name for name in os.environ if name.startswith("DUET_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("DUET_BROKER_URL", broker)
    if state:
        monkeypatch.setenv("DUET_STATE_URL", state)
    settings.cache_clear()
    (tmp_path / "ep.mp3").write_bytes(b"sound")
    try:
        with pytest.raises(BrokerError, match=sentence):
            state_url()
        with pytest.raises(BrokerError, match=sentence):
            submit(tmp_path / "ep.mp3", to=tmp_path)
    finally:
        settings.cache_clear()
