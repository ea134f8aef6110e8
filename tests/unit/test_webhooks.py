"""What is told, to whom, how often at most, and what becomes of a host that does not answer."""

import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from pipeline import submit
from pipeline.errors import AddressError
from pipeline.state import webhook_queue
from pipeline.state.job_store import JobStore
from pipeline.state.webhook_queue import HOSTS, MESSAGES, Delivery, Turn, WebhookQueue
from pipeline.state.webhook_subscriptions import MOST_HOOKS, Webhooks, hooks_key, register
from tests.batches import own_settings, write_audio
from tests.dripping import start_dripping
from tests.faults.fleet import wait_until
from tests.receiver import receiver
from workers.webhooks import exchange
from workers.webhooks.delivery import AT_ONCE, WebhookSender

SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
JOB = "0123456789abcdef-01234567"


@pytest.fixture
def job_store(valkey: str, tmp_path: Path) -> Iterator[JobStore]:
    variables = {"DUET_ALLOWED_HOSTS": "127.0.0.1", "DUET_WEBHOOK_SECRET": SECRET}
    with own_settings(valkey, tmp_path / "cache", **variables):
        job_store = JobStore()
        job_store.redis.flushdb()
        yield job_store


@pytest.fixture
def waiting(job_store: JobStore) -> WebhookQueue:
    return WebhookQueue(job_store.redis)


def delivery(number: int, url: str = "https://one.example/told") -> Delivery:
    return Delivery(id=f"msg_{number}", url=url, body="{}")


def turn(waiting: WebhookQueue) -> Turn:
    taken = waiting.take()
    assert isinstance(taken, Turn)
    return taken


def test_one_thing_at_a_time_is_told_to_a_host_and_others_need_not_wait_for_it(waiting: WebhookQueue) -> None:
    # Given two things for one host and one for another
    assert waiting.add(delivery(1))
    assert waiting.add(delivery(2))
    assert waiting.add(delivery(3, "https://other.example/told"))
    assert not waiting.add(delivery(1)), "it waits already"

    # Then there are two turns, one for each host, and a third when the first has ended
    first, second = turn(waiting), turn(waiting)
    assert {first.delivery.host, second.delivery.host} == {"one.example", "other.example"}
    assert not isinstance(waiting.take(), Turn)
    waiting.end(first)
    waiting.end(second)
    assert turn(waiting).delivery.id == "msg_2"


def test_a_host_that_is_silent_costs_one_attempt_a_minute_however_much_there_is_to_tell(
    waiting: WebhookQueue,
) -> None:
    # Given a hundred things for a host that has not answered four times in a row
    for number in range(100):
        waiting.add(delivery(number))
    pauses = []
    for _ in range(4):
        taken = turn(waiting)
        waiting.postpone(taken, is_silent=True)
        left_s = waiting.take()
        assert isinstance(left_s, float), "nothing is told to it now"
        pauses.append(left_s)
        waiting.redis.delete(f"duet:webhooks:turn:{taken.delivery.host}")  # that time passes
        waiting.redis.zadd(HOSTS, {taken.delivery.host: 0})

    # Then the pauses grow to a minute, and one answer ends them
    assert [round(it) for it in pauses] == [5, 20, 60, 60]
    waiting.end(turn(waiting))
    assert isinstance(waiting.take(), Turn)


def test_a_host_that_is_silent_is_left_alone_although_each_thing_is_told_once_only(waiting: WebhookQueue) -> None:
    waiting.add(delivery(1))
    waiting.add(delivery(2))
    waiting.end(turn(waiting), is_silent=True)
    assert not isinstance(waiting.take(), Turn)


def test_what_was_not_understood_is_told_again_later_and_the_rest_of_its_host_at_once(waiting: WebhookQueue) -> None:
    waiting.add(delivery(1))
    waiting.add(delivery(2))
    assert waiting.postpone(turn(waiting)) == 5.0
    second = turn(waiting)
    assert second.delivery.id == "msg_2"
    waiting.end(second)

    left_s = waiting.take()
    assert isinstance(left_s, float)
    assert 0 < left_s <= 5.0


def test_nothing_is_left_of_what_was_told(waiting: WebhookQueue) -> None:
    waiting.add(delivery(1))
    waiting.end(turn(waiting))
    assert waiting.take() is None
    assert waiting.redis.keys("*") == []


def test_who_takes_a_turn_and_dies_gives_it_up_after_a_while(
    waiting: WebhookQueue, monkeypatch: pytest.MonkeyPatch
) -> None:
    waiting.add(delivery(1))
    monkeypatch.setattr(webhook_queue, "TURN_S", 0.05)
    first = turn(waiting)
    wait_until(lambda: isinstance(waiting.take(), Turn), "somebody else has it")
    waiting.end(first)
    assert not waiting.redis.exists(MESSAGES), "what the first one has told is not told again"


def test_what_has_waited_for_a_day_is_given_up_untold(job_store: JobStore, waiting: WebhookQueue) -> None:
    with receiver() as to:
        waiting.add(delivery(1, to.url))
        text = job_store.redis.hget(MESSAGES, "msg_1").partition(" ")[2]
        job_store.redis.hset(MESSAGES, "msg_1", f"{time.time() - webhook_queue.KEPT_S - 1:.3f} {text}")
        courier = WebhookSender()
        courier.start()
        wait_until(lambda: not job_store.redis.exists(MESSAGES), "it is given up")
        courier.stop()
        assert to.received == []


def test_a_receiver_that_drips_counts_as_silent_when_its_time_is_over(
    job_store: JobStore, waiting: WebhookQueue, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(exchange, "TIMEOUT_S", 0.3)
    for first in (b"", b"HTTP/1.1 200 OK\r\nX-Slow: "):
        with start_dripping(first) as dripping:
            answer = exchange.post(delivery(1, dripping.url))
        assert (answer.is_silent, bool(answer.trouble)) == (True, True)


def test_a_courier_hears_at_once_that_a_host_may_be_told_the_next_thing(
    job_store: JobStore, waiting: WebhookQueue, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Given a courier that would not look for itself, and several things to tell a host that fails first
    monkeypatch.setattr("workers.webhooks.delivery.LOOK_S", 1000.0)
    with receiver(500) as to:
        for number in range(5):
            waiting.add(delivery(number, to.url))
        courier = WebhookSender()
        courier.start()

        # Then all are told, the one that failed last, in its own time
        wait_until(lambda: len(to.received) == 6, "all are told")
        courier.stop()


def test_others_are_told_while_as_many_drip_as_a_courier_has_threads_but_one(
    job_store: JobStore, waiting: WebhookQueue, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Given receivers that drip, each with many things to be told, and one that answers
    monkeypatch.setattr(exchange, "TIMEOUT_S", webhook_queue.TURN_S / 2)
    with ExitStack() as receivers:
        dripping = [receivers.enter_context(start_dripping()) for _ in range(AT_ONCE - 1)]
        to = receivers.enter_context(receiver())
        for number in range(70):
            waiting.add(delivery(number, dripping[number % len(dripping)].url))
        courier = WebhookSender()
        courier.start()
        wait_until(lambda: all(it.taken for it in dripping), "all of them are being told")
        for number in range(100, 120):
            waiting.add(delivery(number, to.url))

        # Then that one is told everything, and each of the others holds one thread
        wait_until(lambda: len(to.received) == 20, "it was told")
        assert {it.taken for it in dripping} == {1}
        courier.stop()


def test_a_job_has_ten_webhooks_at_most(job_store: JobStore, tmp_path: Path) -> None:
    # Given a job that is under way and tells as many as it may
    write_audio(tmp_path, "ep.mp3")
    urls = [f"http://127.0.0.1:{9000 + number}/told" for number in range(MOST_HOOKS + 1)]
    for url in urls[:-1]:
        submit(tmp_path / "ep.mp3", tmp_path / "out", on_completed=url)

    # Then one more is refused with a sentence, and one of those that are there is not
    with pytest.raises(AddressError, match=r"10 webhooks are told of the job .* already, and 10 is the most"):
        submit(tmp_path / "ep.mp3", tmp_path / "out", on_completed=urls[-1])
    job = submit(tmp_path / "ep.mp3", tmp_path / "out", on_completed=urls[0])
    assert job_store.redis.scard(hooks_key(job.id)) == MOST_HOOKS


def test_a_job_that_is_full_is_full_for_two_who_come_at_once(job_store: JobStore) -> None:
    for number in range(MOST_HOOKS):
        assert register(job_store.redis, [JOB], Webhooks(on_completed=f"http://{number}.example/")) == []
    assert register(job_store.redis, [JOB], Webhooks(on_completed="http://one-more.example/")) == [JOB]
    assert job_store.redis.scard(hooks_key(JOB)) == MOST_HOOKS
