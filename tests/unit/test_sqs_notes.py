"""What is noted of messages in SQS holds for a time, since SQS does not tell what it drops."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from celery import Celery
from celery.signals import after_task_publish, before_task_publish
from kombu.exceptions import OperationalError

from pipeline.messaging import sqs
from pipeline.messaging.app import make_app
from pipeline.settings import settings
from pipeline.state.redis import connect
from tests.services import start_valkey

TASK = "job.whisper.1"


@pytest.fixture
def sender(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Celery]:
    """An application that sends as over SQS; its messages go nowhere."""
    with start_valkey(tmp_path) as url:
        monkeypatch.setenv("DUET_BROKER_URL", "sqs://")
        monkeypatch.setenv("DUET_STATE_URL", url)
        settings.cache_clear()
        sqs._state.cache_clear()
        sender = make_app("memory://", url)
        sqs.without_redis(sender)
        yield sender
        before_task_publish.disconnect(dispatch_uid="duet-sending")
        after_task_publish.disconnect(dispatch_uid="duet-sent")
    settings.cache_clear()
    sqs._state.cache_clear()


def pass_time(seconds: float) -> None:
    """Have the notes be as old as if that time had passed."""
    connect().zincrby(sqs.WAITING, -seconds, TASK)


def test_a_message_that_nobody_took_is_believed_for_days_and_not_for_ever(sender: Celery) -> None:
    sender.send_task("tasks.transcribe", task_id=TASK, queue="whisper")

    pass_time(sqs.BELIEVED_S - sqs.SENDING_S)
    assert sqs.waiting_ids(connect()) == {TASK}

    pass_time(2 * sqs.SENDING_S)
    assert sqs.waiting_ids(connect()) == set()
    assert not connect().exists(sqs.WAITING)


def test_a_message_that_could_not_be_sent_is_soon_not_believed_in(sender: Celery) -> None:
    class GoneError(OperationalError):
        pass

    def fail(*_: object, **__: object) -> None:
        raise GoneError("the queue does not answer")

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("kombu.messaging.Producer.publish", fail)
        with pytest.raises(GoneError):
            sender.send_task("tasks.transcribe", task_id=TASK, queue="whisper")
    assert sqs.waiting_ids(connect()) == {TASK}

    pass_time(2 * sqs.SENDING_S)
    assert sqs.waiting_ids(connect()) == set()


def test_a_message_that_is_sent_again_is_not_believed_in_for_less(sender: Celery) -> None:
    sender.send_task("tasks.transcribe", task_id=TASK, queue="whisper")
    sqs._note_sending({"id": TASK})

    pass_time(sqs.BELIEVED_S / 2)
    assert sqs.waiting_ids(connect()) == {TASK}


def test_a_message_that_was_taken_before_its_sender_went_on_is_not_noted_again(sender: Celery) -> None:
    sqs._note_sending({"id": TASK})
    connect().zrem(sqs.WAITING, TASK)
    sqs._note_sent({"id": TASK})

    assert sqs.waiting_ids(connect()) == set()


def test_what_another_broker_carries_is_not_noted(sender: Celery, monkeypatch: pytest.MonkeyPatch) -> None:
    # Given a process that has sent by SQS, and now sends by a Redis
    monkeypatch.setenv("DUET_BROKER_URL", "redis://broker:6379/0")
    settings.cache_clear()

    sender.send_task("tasks.transcribe", task_id=TASK, queue="whisper")

    monkeypatch.setenv("DUET_BROKER_URL", "sqs://")
    settings.cache_clear()
    assert sqs.waiting_ids(connect()) == set()
