"""What workers say of themselves, and what it makes of a pool of which some are in trouble."""

import asyncio
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from celery.utils.dispatch import Signal

from pipeline.client.dead_letters import why_voxtral_is_off
from pipeline.errors import TransientError
from pipeline.http import health
from pipeline.monitoring.doctor import Check, Status, examine
from pipeline.monitoring.doctor import client as client_checks
from pipeline.settings import Settings, settings
from pipeline.state.pool_status import forget_ended, loading_key, pool_states, worker_states
from pipeline.state.redis import connect
from pipeline.state.worker_registry import REMEMBERED_S, WORKER_VARIABLE, WorkerRegistry, state_key
from pipeline.types.pools import POOL_VARIABLE, POOLS
from tests.measured import Measured
from tests.pool_workers import join
from tests.services import start_valkey
from workers import pool
from workers.pool_reporter import pool_reporter
from workers.runtime.model_holder import ModelHolder
from workers.voxtral import Skipped, loading
from workers.weights import voxtral as voxtral_weights


@pytest.fixture
def broker(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    with start_valkey(tmp_path) as url:
        monkeypatch.setenv("DUET_BROKER_URL", url)
        settings.cache_clear()
        yield url
    settings.cache_clear()


def checks(destination: Path) -> dict[str, str]:
    return asyncio.run(health.Readiness(destination.as_uri()).checks())


def doctor(monkeypatch: pytest.MonkeyPatch, name: str, host: str | None, *nodes: str) -> Check:
    monkeypatch.setattr(client_checks, "_nodes", lambda: list(nodes))
    return next(examine(probe for probe in client_checks.probes(host=host) if probe.name == name))


def test_a_pool_is_ready_while_one_of_its_workers_is(broker: str, tmp_path: Path) -> None:
    # Given every pool at work, and a second machine whose whisper has failed and one whose voxtral loads
    for it in POOLS:
        join(it, "gpu-1", status="ready", since=1)
    join("whisper", "gpu-2", status="failed", reason="The card is full; end what uses it.", since=2)
    join("voxtral", "gpu-3", status="loading", percent=3, since=3)

    # Then the server is ready
    assert set(checks(tmp_path).values()) == {"ok"}
    assert pool_states()["whisper"]["status"] == "ready"

    # And the metrics count both
    now = Measured.now()
    assert now("duet_pool_status", pool="whisper", status="ready") == 1
    assert now("duet_pool_status", pool="whisper", status="failed") == 1
    assert now("duet_pool_status", pool="voxtral", status="loading") == 1


def test_a_pool_whose_workers_all_have_failed_is_not_ready(broker: str, tmp_path: Path) -> None:
    for it in POOLS:
        join(it, "gpu-1", status="failed" if it == "whisper" else "ready", reason="No.", since=1)
    assert checks(tmp_path)["pool-whisper"] == "failed"


def test_the_doctor_of_one_machine_looks_at_that_machine(broker: str, monkeypatch: pytest.MonkeyPatch) -> None:
    # Given a machine that works, and one with a name that begins alike whose worker has failed
    join("whisper", "gpu-1", status="ready", since=1, model="base")
    join("whisper", "gpu-10", status="failed", reason="The card is full; end what uses it.", since=2)
    both = ("whisper@gpu-1", "whisper@gpu-10")

    # Then each is told of itself, and who asks of all hears of both
    assert doctor(monkeypatch, "pool-whisper", "gpu-1", *both).status is Status.OK
    assert doctor(monkeypatch, "pool-whisper", "gpu-10", *both).status is Status.FAILED
    of_all = doctor(monkeypatch, "pool-whisper", None, *both)
    assert of_all.status is Status.WARNING
    assert "whisper@gpu-10: The card is full" in of_all.found

    # And a worker that is gone does not look alive because another machine's does
    gone = doctor(monkeypatch, "pool-whisper", "gpu-1", "whisper@gpu-10")
    assert (gone.status, gone.found) == (Status.FAILED, "no worker answers on gpu-1")


def test_what_a_worker_says_lasts_as_long_as_its_heartbeat(broker: str) -> None:
    # Given a worker that said something a while ago
    worker = join("whisper", status="ready")
    with connect() as client:
        registry = WorkerRegistry(client)
        client.expire(state_key(worker.id), 5)

        # When it beats, then it is kept; when it is struck off, then it counts no more, and goes in time
        registry.heartbeat(worker)
        assert client.ttl(state_key(worker.id)) > REMEMBERED_S - 60
        registry.deregister(worker)
        assert worker_states() == []
        assert 0 < client.ttl(state_key(worker.id)) <= REMEMBERED_S


def test_a_worker_that_was_given_up_and_is_heard_again_is_as_ready_as_before(broker: str) -> None:
    # Given a worker that stood still for so long that it was given up
    worker = join("whisper", status="ready", model="base")
    with connect() as client:
        WorkerRegistry(client).deregister(worker)

        # When it is heard again, which loads nothing anew
        WorkerRegistry(client).heartbeat(worker)

    # Then what it said before holds
    assert [(it.status, it.fields["model"]) for it in worker_states()] == [("ready", "base")]


def test_a_stack_that_starts_forgets_what_its_killed_workers_said_and_held(broker: str) -> None:
    # Given a worker that was killed while it loaded
    join("whisper", status="failed", reason="No.")
    with connect() as client:
        client.set(loading_key("GPU-1"), "the turn of a process that is gone", ex=60)

        # When the next stack starts
        forget_ended(broker)

        # Then nobody waits for it
        assert not client.exists(loading_key("GPU-1"))
    assert pool_states() == {}


def test_a_storage_that_does_not_answer_stops_no_other_request(
    broker: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Given a storage that does not answer
    answers, asked = threading.Event(), []

    class Silent:
        def check_writable(self) -> None:
            asked.append(1)
            answers.wait(60)
            raise TransientError("S3 does not answer.")

    monkeypatch.setattr(health, "open_storage", lambda uri: Silent())
    monkeypatch.setattr(health, "PATIENCE_S", 0.2)

    async def many() -> tuple[list[dict[str, str]], dict[str, str]]:
        readiness = health.Readiness(tmp_path.as_uri())
        found = await asyncio.gather(*(readiness.checks() for _ in range(100)))
        # Then the server's own threads are free
        await asyncio.wait_for(asyncio.to_thread(time.monotonic), 10)
        while (await readiness.checks())["broker"] != "ok":
            pass  # the broker is checked meanwhile; this test times out where it is not
        answers.set()
        while (last := await readiness.checks())["storage"] == "does not answer":
            pass
        return found, last

    found, last = asyncio.run(many())

    # And it was asked once, each request was told so, and one is told what came of it
    assert asked == [1]
    assert {it["storage"] for it in found} == {"does not answer"}
    assert last["storage"] == "cannot be written"


def test_what_stands_in_is_asked_for_again_after_a_while_and_what_is_there_is_kept() -> None:
    # Given something that cannot be had at first
    now, loads = 1000.0, iter(["away", "away", "there"])
    held = ModelHolder(lambda: next(loads), stands_in="away".__eq__, again_after_s=180.0, clock=lambda: now)
    assert held.get() == "away"

    # When it is needed soon after, then nobody asks; later somebody does
    now += 179
    assert (held.get(), held.held) == ("away", "away")
    now += 1
    assert held.get() == "away"
    now += 180
    assert held.get() == "there"
    now += 10_000
    assert held.get() == "there"


@pytest.fixture
def voxtral_pool(broker: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """A process of the voxtral pool on a machine with a card, whose clock can be moved on."""
    worker = join("voxtral", "gpu-1")
    for it in ("whisper", "cpu"):
        join(it, "gpu-1", status="ready", since=1)
    monkeypatch.setenv(POOL_VARIABLE, "voxtral")
    monkeypatch.setenv(WORKER_VARIABLE, worker.id)
    monkeypatch.setattr(loading, "_why_no_card", lambda settings: "")
    monkeypatch.setattr(pool._analyst, "_clock", lambda: time.monotonic() + moved[0])
    for name in ("task_prerun", "task_postrun"):  # no task runs here
        monkeypatch.setattr(pool, name, Signal())
    moved = [0.0]
    pool_reporter.cache_clear()
    pool._analyst.drop()
    yield moved
    pool._analyst.drop()
    pool_reporter.cache_clear()


def test_a_hub_that_was_away_at_the_start_is_asked_again_at_a_later_episode(
    voxtral_pool: list[float], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Given a hub that does not answer when the pool starts
    asked: list[str] = []
    heard = Skipped("a stand-in for the model")

    def find(model: str) -> Path:
        asked.append(model)
        if len(asked) == 1:
            raise voxtral_weights.NotFoundError("The hub does not answer.")
        return tmp_path

    monkeypatch.setattr(voxtral_weights, "find", find)
    monkeypatch.setattr(voxtral_weights, "check", lambda folder: folder)
    monkeypatch.setattr(loading, "_on_device", lambda settings, found: heard)
    pool.warm_up()

    # Then readiness, doctor, metric and `duet retry` know that it is for now
    assert checks(tmp_path)["pool-voxtral"] == health.OFF_FOR_NOW
    check = doctor(monkeypatch, "pool-voxtral", "gpu-1", "voxtral@gpu-1")
    assert (check.status, "The hub does not answer." in check.found) == (Status.WARNING, True)
    assert Measured.now()("duet_pool_status", pool="voxtral", status="unavailable") == 1
    assert why_voxtral_is_off() == ""

    # And the episodes of the next minutes do not wait for it
    for _ in range(3):
        found = pool.analyst()
        assert isinstance(found, Skipped)
        assert found.reason == "The hub does not answer."
    assert len(asked) == 1

    # When minutes have passed, then it is had at the next episode, and kept
    voxtral_pool[0] = pool.AGAIN_AFTER_S + 1
    assert pool.analyst() is heard
    assert pool.analyst() is heard
    assert len(asked) == 2
    assert pool_states()["voxtral"]["status"] == "ready"
    assert checks(tmp_path)["pool-voxtral"] == "ok"


def test_what_cannot_change_is_not_looked_at_again(voxtral_pool: list[float], monkeypatch: pytest.MonkeyPatch) -> None:
    looked = []

    def look(settings: Settings) -> str:
        looked.append(1)
        return "this machine has no NVIDIA driver"

    monkeypatch.setattr(loading, "_why_no_card", look)
    pool.warm_up()
    voxtral_pool[0] = 100 * pool.AGAIN_AFTER_S
    pool.analyst()
    assert looked == [1]
    assert pool_states()["voxtral"]["status"] == "ready"
    assert why_voxtral_is_off().startswith("Voxtral's weights (")


def test_a_bucket_that_is_away_is_no_reason_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(loading, "_why_no_card", lambda settings: "")

    def away(*_: object) -> Path:
        raise TransientError("The bucket does not answer.")

    monkeypatch.setattr(voxtral_weights, "download", away)
    found = loading.load_analyst(Settings(voxtral_model="s3://models/voxtral"))
    assert found == Skipped("The bucket does not answer.", "its weights were not found", may_pass=True)
