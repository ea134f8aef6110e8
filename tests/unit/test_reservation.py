"""How a pool's process takes its share of the device, and what it says of itself meanwhile."""

import threading
import time
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch

from pipeline.errors import EngineError
from pipeline.settings import settings
from pipeline.state.pool_status import pool_states, ready_pools
from pipeline.state.worker_registry import WORKER_VARIABLE
from pipeline.types.pools import POOL_VARIABLE
from tests.pool_workers import join
from tests.services import start_valkey
from workers import device
from workers.device import GIB, ComputeDevice
from workers.memory import cards, reservation
from workers.memory.device_priority import BUSY_S, POLL_S, DevicePriority, NoDevicePriority, device_priority
from workers.memory.plan import WhisperAllocation
from workers.memory.request import NoRoomError
from workers.pool_reporter import pool_reporter
from workers.runtime.model_holder import IdleTimer, ModelHolder

CPU = ComputeDevice(torch.device("cpu"), torch.float32)
T4 = ComputeDevice(torch.device("cuda", 0), torch.float16)
SHARE = WhisperAllocation("whisper-medium", "fp16", int(1.4 * GIB), int(1.6 * GIB), 6)


@pytest.fixture
def broker(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    with start_valkey(tmp_path) as url:
        monkeypatch.setenv("DUET_BROKER_URL", url)
        monkeypatch.setenv(POOL_VARIABLE, "whisper")
        settings.cache_clear()
        monkeypatch.setenv(WORKER_VARIABLE, join("whisper").id)
        pool_reporter.cache_clear()
        yield url
    pool_reporter.cache_clear()
    settings.cache_clear()


class FakeCards:
    """torch.cuda as it is on a machine with two T4, of which the calls are recorded."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, free_gib: float) -> None:
        self.calls: list[tuple[str, Any]] = []
        self.free_bytes = int(free_gib * GIB)
        for name in ("is_available", "device_count", "get_device_properties", "mem_get_info", "get_device_name"):
            monkeypatch.setattr(torch.cuda, name, getattr(self, name))
        for name in ("set_device", "set_per_process_memory_fraction"):
            monkeypatch.setattr(torch.cuda, name, lambda *args, name=name: self.calls.append((name, args)))
        monkeypatch.setattr(torch.cuda, "memory_allocated", lambda device: 0)
        monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda including_emulation: including_emulation)
        monkeypatch.setattr(torch.cuda, "device", lambda device: threading.Lock())

    def is_available(self) -> bool:
        return True

    def device_count(self) -> int:
        return 2

    def get_device_properties(self, index: Any) -> Any:
        number = getattr(index, "index", index)
        return SimpleNamespace(name="Tesla T4", total_memory=int(14.6 * GIB), uuid=f"{number}abc-def")

    def mem_get_info(self, device: Any) -> tuple[int, int]:
        return self.free_bytes, int(14.6 * GIB)

    def get_device_name(self, device: Any) -> str:
        return "Tesla T4"


def test_a_card_is_chosen_by_its_index_or_its_uuid(monkeypatch: pytest.MonkeyPatch) -> None:
    FakeCards(monkeypatch, 14)
    assert (
        device.choose("cuda:1")
        == device.choose("GPU-1abc-def")
        == ComputeDevice(torch.device("cuda", 1), torch.float16)
    )
    assert device.identity(torch.device("cuda", 1)) == "GPU-1abc-def"
    with pytest.raises(EngineError, match="GPU-7 names 0 devices; torch sees GPU-0abc-def, GPU-1abc-def"):
        device.choose("GPU-7")


def test_a_process_is_kept_to_its_share_of_the_card(monkeypatch: pytest.MonkeyPatch, broker: str) -> None:
    # Given a card with room
    card = FakeCards(monkeypatch, 14)

    # When a model is loaded
    with reservation.reserve_device(T4, SHARE):
        loading = pool_states()["whisper"]
        assert not ready_pools()

    # Then torch has been told the share's tensors as a part of the whole, and Redis what is going on
    assert card.calls == [
        ("set_device", (T4.device,)),
        ("set_per_process_memory_fraction", (pytest.approx(3.0 / 14.6, rel=1e-6), T4.device)),
    ]
    assert loading["status"] == "loading"
    assert loading["device"] == "cuda:0 (Tesla T4)"
    assert loading["device_id"] == "GPU-0abc-def"
    assert (loading["share_bytes"], loading["batch"]) == (str(SHARE.bytes), "6")


def test_a_share_that_somebody_else_has_taken_is_refused_with_the_figures(monkeypatch: pytest.MonkeyPatch) -> None:
    FakeCards(monkeypatch, 2.5)
    monkeypatch.setattr(reservation, "holders", lambda device_id: [(4711, int(11.9 * GIB))])
    with pytest.raises(NoRoomError) as refused, reservation.reserve_device(T4, SHARE):
        pass
    assert str(refused.value).startswith(
        "whisper-medium is to have 3.0 GiB of Tesla T4, and 2.5 of its 14.6 GiB are free, process 4711 has 11.9;"
    )


def test_a_pool_gives_the_process_before_it_a_moment_to_let_go_of_the_card(
    monkeypatch: pytest.MonkeyPatch, broker: str
) -> None:
    # Given a card whose driver has not given back yet what a process had that was killed
    FakeCards(monkeypatch, 2.5)
    asked = iter([0, 0, int(12 * GIB)])
    monkeypatch.setattr(torch.cuda, "mem_get_info", lambda device: (next(asked, int(14 * GIB)), int(14.6 * GIB)))
    monkeypatch.setattr(reservation, "TICK_S", 0.01)

    # Then its successor loads as soon as it has
    with reservation.reserve_device(T4, SHARE):
        assert next(asked, None) is None


def test_a_full_machine_is_refused_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cards, "_machine_bytes", lambda name: float(GIB))
    with pytest.raises(NoRoomError, match=r"3\.0 GiB of this machine's CPU, and 1\.0 of its 1\.0 GiB are free"):
        reservation.check_room(CPU, SHARE)


def test_models_are_loaded_one_after_the_other(broker: str) -> None:
    # Given two pools that start at once on one device
    spans = []

    def load() -> None:
        with reservation.reserve_device(CPU, SHARE):
            began = time.monotonic()
            time.sleep(0.2)
            spans.append((began, time.monotonic()))

    both = [threading.Thread(target=load) for _ in range(2)]
    for one in both:
        one.start()
    for one in both:
        one.join()

    # Then one has ended before the other begins
    first, second = sorted(spans)
    assert first[1] <= second[0]


def test_how_much_is_loaded_is_told(monkeypatch: pytest.MonkeyPatch, broker: str) -> None:
    held = iter([0, int(0.43 * SHARE.weights_bytes)])
    told = threading.Event()
    say = pool_reporter().update

    def record(**fields: object) -> None:
        say(**fields)
        if fields.get("percent"):
            told.set()

    monkeypatch.setattr(pool_reporter(), "update", record)
    monkeypatch.setattr(reservation, "TICK_S", 0.01)
    monkeypatch.setattr(reservation, "held_bytes", lambda place: next(held, int(0.43 * SHARE.weights_bytes)))
    with reservation.reserve_device(CPU, SHARE):
        assert told.wait(10)
    assert pool_states()["whisper"]["percent"] == "43"


def test_a_process_of_no_pool_asks_no_broker() -> None:
    pool_reporter.cache_clear()
    with reservation.reserve_device(CPU, SHARE):
        assert isinstance(device_priority(CPU.device), NoDevicePriority)


class Clock:
    """A clock that goes on only while somebody sleeps, so that a busy machine changes nothing."""

    def __init__(self) -> None:
        self.now_s = 100.0

    def monotonic(self) -> float:
        return self.now_s

    def time(self) -> float:
        return self.now_s

    def sleep(self, seconds: float) -> None:
        self.now_s += seconds


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr("workers.memory.device_priority.time", clock)
    return clock


def waited_s(leg: DevicePriority, clock: Clock, step_s: float) -> float:
    """Let a leg compute a step, and return how long it then gives way."""
    clock.sleep(step_s)
    began_s = clock.now_s
    leg.yield_to_fast_leg()
    return clock.now_s - began_s


def test_the_slow_leg_waits_for_the_fast_one_but_not_for_ever(broker: str, clock: Clock) -> None:
    # Given a fast leg at work
    fast, slow, other = DevicePriority("GPU-1"), DevicePriority("GPU-1"), DevicePriority("GPU-2")
    slow.yield_to_fast_leg()
    with fast.hold():
        # Then the slow leg waits as many times its own step as is its patience, and another device's does not
        assert waited_s(slow, clock, 0.05) == pytest.approx(0.25, abs=2 * POLL_S)
        assert waited_s(other, clock, 0.05) == 0
    slow.yield_to_fast_leg()

    # As it does when one of two batches at once is done
    with fast.hold():
        with fast.hold():
            pass
        assert waited_s(slow, clock, 0.05) == pytest.approx(0.25, abs=2 * POLL_S)

    # And not at all when the fast leg has ended
    assert waited_s(slow, clock, 0.05) == 0


def test_a_batch_of_any_length_keeps_its_priority_and_another_that_ends_does_not_take_it(
    broker: str, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Given two processes of the fast leg at work, one of which renews its signal
    renewed = threading.Event()
    monkeypatch.setattr("workers.memory.device_priority._RENEWAL_S", 0.01)
    first, second, slow = DevicePriority("GPU-1"), DevicePriority("GPU-1"), DevicePriority("GPU-1")
    slow.yield_to_fast_leg()
    with first.hold():
        with second.hold():
            pass
        clock.sleep(10 * BUSY_S)
        signal = first._signal
        monkeypatch.setattr(first, "_signal", lambda: (signal(), renewed.set()))
        assert renewed.wait(10)

        # Then the slow leg still waits, though the other has ended and the batch is longer than a signal lasts
        slow.yield_to_fast_leg()
        assert waited_s(slow, clock, 0.05) == pytest.approx(0.25, abs=2 * POLL_S)


def test_a_fast_leg_that_was_killed_holds_the_device_no_longer_than_its_signal(broker: str, clock: Clock) -> None:
    killed, slow = DevicePriority("GPU-1"), DevicePriority("GPU-1")
    killed._signal()
    slow.yield_to_fast_leg()
    assert waited_s(slow, clock, 0.05) > 0
    clock.sleep(BUSY_S)
    slow._last_step_s = clock.now_s
    assert waited_s(slow, clock, 0.05) == 0


def test_turns_outlive_the_broker_and_say_once_that_it_is_away(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("DUET_BROKER_URL", "redis://localhost:1/0")
    settings.cache_clear()
    alone = DevicePriority("GPU-1")
    with alone.hold():
        alone.yield_to_fast_leg()
        alone.yield_to_fast_leg()
    settings.cache_clear()
    assert len([line for line in caplog.messages if "without priorities" in line]) == 1


def test_what_is_dropped_is_loaded_again() -> None:
    loads = iter(["first", "second"])
    held = ModelHolder(lambda: next(loads))
    assert held.held is None
    assert [held.get(), held.get()] == ["first", "first"]
    held.drop()
    assert held.get() == "second"


def test_an_idle_process_lets_go_and_one_at_work_does_not() -> None:
    let_go = threading.Event()
    idle = IdleTimer(0.05, let_go.set)
    idle.begin()
    assert not let_go.wait(0.2)
    idle.end()
    assert let_go.wait(10)
    never = IdleTimer(None, let_go.set)
    let_go.clear()
    never.begin()
    never.end()
    assert not let_go.wait(0.1)


def test_unloading_gives_the_cards_memory_back(monkeypatch: pytest.MonkeyPatch) -> None:
    given_back = []
    monkeypatch.setattr(reservation, "uses_cuda", lambda: True)
    monkeypatch.setattr(torch.cuda, "empty_cache", lambda: given_back.append(True))
    monkeypatch.setattr(torch.cuda, "max_memory_reserved", lambda: 3 * GIB)
    reservation.release_cached_memory()
    assert given_back == [True]
    assert reservation.peak_bytes() == 3 * GIB
