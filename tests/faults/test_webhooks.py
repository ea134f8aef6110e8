"""Webhooks of real episodes by real workers, to a receiver that is not always well."""

import json
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from standardwebhooks import Webhook

from pipeline import JobState
from pipeline.errors import AddressError
from pipeline.state.webhook_subscriptions import DUE
from pipeline.types.pools import POOLS
from tests.dripping import start_dripping
from tests.faults.fleet import TIMEOUT_S, Fleet, wait_until
from tests.measured import Measured
from tests.receiver import Receiver, receiver

pytestmark = pytest.mark.xdist_group("webhooks")
SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"


@pytest.fixture(scope="module")
def fleet(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Fleet]:
    """A fleet that knows the secret, and may tell this machine."""
    fleet = Fleet(
        tmp_path_factory.mktemp("webhooks"),
        DUET_WEBHOOK_SECRET=SECRET,
        DUET_WEBHOOK_BACKOFF_S="0.05",
        DUET_WEBHOOK_TRIES="4",
        DUET_ALLOWED_HOSTS="127.0.0.1",
    )
    try:
        fleet.start_all()
        with fleet.client():
            yield fleet
    finally:
        fleet.stop()


def told(to: Receiver) -> list[dict[str, object]]:
    """Return what a receiver was told and could verify, as the standard's own library does."""
    return [Webhook(SECRET).verify(body, headers) for headers, body in to.received]


def test_both_events_arrive_signed_although_the_receiver_fails_first(fleet: Fleet) -> None:
    with receiver(500, 429, 302) as to:
        job = fleet.submit("told", on_transcribed=to.url, on_completed=to.url)
        job.result(timeout=TIMEOUT_S)
        wait_until(lambda: len(to.received) >= 5, "both were told, after three failures")

    messages = told(to)
    by_id = {headers["webhook-id"]: message for (headers, _), message in zip(to.received, messages, strict=True)}
    assert {it["type"] for it in by_id.values()} == {"episode.transcribed", "episode.completed"}
    assert len(by_id) == 2, "a message that is sent again keeps its id"
    completed = next(it for it in by_id.values() if it["type"] == "episode.completed")["data"]
    assert isinstance(completed, dict)
    assert (completed["job"], completed["state"], completed["uri"]) == (job.id, "completed", job.uri)
    assert "Window" not in json.dumps(messages), "what was said is nobody else's business"


def test_who_submits_late_is_told_of_what_comes(fleet: Fleet) -> None:
    hold = fleet.stage.hold("voxtral.late.end")
    first = fleet.submit("late")
    first.transcript(timeout=TIMEOUT_S)
    with receiver() as to:
        assert fleet.submit("late", on_transcribed=to.url, on_completed=to.url).id == first.id
        hold.unlink()
        wait_until(lambda: len({headers["webhook-id"] for headers, _ in to.received}) == 2, "both were told")


def test_a_cancelled_job_has_ended_too_and_the_clock_says_so(fleet: Fleet) -> None:
    hold = fleet.stage.hold("whisper.cancelled.0")
    with receiver() as to:
        job = fleet.submit("cancelled", on_completed=to.url)
        assert job.cancel()
        hold.unlink()
        wait_until(lambda: to.received, "it was told by the clock")
        (message,) = {json.dumps(it["data"]) for it in told(to)}
    assert json.loads(message)["state"] == "cancelled"


def test_what_is_due_is_sent_by_the_clock_where_nobody_else_has(fleet: Fleet) -> None:
    # Given what a process leaves that ends a job and dies before it tells anybody
    with receiver() as to:
        job = fleet.submit("orphan", on_completed=to.url)
        job.result(timeout=TIMEOUT_S)
        wait_until(lambda: to.received, "it was told")
        fleet.redis().sadd(DUE, f"{job.id} {job.spec.attempt} completed")

        # Then the clock tells it, under the same id
        wait_until(lambda: len(to.received) >= 2, "it was told again")
        assert len({headers["webhook-id"] for headers, _ in to.received}) == 1
    wait_until(lambda: not fleet.redis().exists(DUE), "nothing is due")


def test_who_never_understands_is_given_up_and_who_is_gone_at_once(fleet: Fleet) -> None:
    before = Measured.now()
    with receiver(*[503] * 9) as deaf, receiver(410) as gone:
        fleet.submit("deaf", on_completed=deaf.url)
        fleet.submit("gone", on_completed=gone.url)
        wait_until(lambda: Measured.now().since(before, "duet_webhooks_total", result="failed") >= 2, "both given up")
        assert (len(deaf.received), len(gone.received)) == (4, 1)
    assert Measured.now().since(before, "duet_webhooks_total", result="retried") == 3


def test_receivers_that_drip_keep_no_merge_and_nothing_of_the_clock_waiting(fleet: Fleet) -> None:
    # Given more receivers that drip than the cpu pool has processes, each of which is being told of an episode
    with ExitStack() as receivers:
        dripping = [receivers.enter_context(start_dripping()) for _ in range(POOLS["cpu"] + 1)]
        for number, it in enumerate(dripping):
            fleet.submit(f"dripped-on-{number}", on_completed=it.url).result(timeout=TIMEOUT_S)
        wait_until(lambda: all(it.taken for it in dripping), "all of them are being told")

        # When another episode comes, and something falls due that only the clock's tasks find
        to = receivers.enter_context(receiver())
        job = fleet.submit("unhindered", on_completed=to.url)
        assert job.result(timeout=TIMEOUT_S).state is JobState.COMPLETED
        wait_until(lambda: to.received, "it was told")
        fleet.redis().sadd(DUE, f"{job.id} {job.spec.attempt} completed")

        # Then it is merged and told and that is found, while they drip
        wait_until(lambda: len(to.received) == 2, "it was told again")
        assert not any(it.left for it in dripping)


def test_private_addresses_are_refused_where_they_are_given(fleet: Fleet, tmp_path: Path) -> None:
    for url in ("http://10.0.0.1/told", "http://169.254.169.254/latest", "file:///etc/passwd", "ftp://example.org"):
        with pytest.raises(AddressError):
            fleet.submit("private", on_completed=url)


def test_private_addresses_are_refused_where_it_is_sent(fleet: Fleet) -> None:
    # Given a worker that may reach public addresses only, whatever a client says
    fleet.processes["cpu"].kill()
    strict = fleet.start_worker("cpu", "strict", DUET_ALLOWED_HOSTS="")
    fleet.wait_for_workers("strict")
    before = Measured.now()
    try:
        with receiver() as to:
            job = fleet.submit("inside", on_completed=to.url)
            assert job.result(timeout=TIMEOUT_S).state is JobState.COMPLETED
            wait_until(lambda: Measured.now().since(before, "duet_webhooks_total", result="failed") == 1, "given up")
            assert to.received == []
    finally:
        strict.kill()
        fleet.processes["cpu"].start()
        fleet.wait_for_workers(*POOLS)
