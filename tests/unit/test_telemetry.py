"""How the use of device and pools is sampled, with NVML's answers recorded from its documentation."""

import sys
import time
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import pytest

from pipeline.settings import settings
from pipeline.state import telemetry
from tests.pool_workers import join
from tests.services import start_valkey


class NVMLError(Exception):
    pass


@pytest.fixture
def nvml(monkeypatch: pytest.MonkeyPatch) -> SimpleNamespace:
    """The calls that are made of pynvml, answered as for one T4."""
    fake = SimpleNamespace(
        NVMLError=NVMLError,
        nvmlInit=lambda: None,
        nvmlShutdown=lambda: None,
        nvmlDeviceGetCount=lambda: 1,
        nvmlDeviceGetHandleByIndex=lambda index: index,
        nvmlDeviceGetHandleByUUID=lambda uuid: 0,
        nvmlDeviceGetUUID=lambda card: "GPU-0abc",
        nvmlDeviceGetName=lambda card: "Tesla T4",
        nvmlDeviceGetMemoryInfo=lambda card: SimpleNamespace(used=5_000, total=16_000, free=11_000),
        nvmlDeviceGetUtilizationRates=lambda card: SimpleNamespace(gpu=73, memory=20),
        nvmlDeviceGetComputeRunningProcesses=lambda card: [
            SimpleNamespace(pid=7, usedGpuMemory=4_000),
            SimpleNamespace(pid=8, usedGpuMemory=None),
        ],
    )
    monkeypatch.setitem(sys.modules, "pynvml", fake)  # type: ignore[arg-type]
    return fake


@pytest.fixture
def broker(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    with start_valkey(tmp_path) as url:
        monkeypatch.setenv("DUET_BROKER_URL", url)
        settings.cache_clear()
        yield
    settings.cache_clear()


def test_the_fakes_calls_are_those_of_the_real_library() -> None:
    import pynvml

    for name in ("nvmlInit", "nvmlDeviceGetHandleByUUID", "nvmlDeviceGetComputeRunningProcesses", "nvmlDeviceGetUUID"):
        assert callable(getattr(pynvml, name))
    assert issubclass(pynvml.NVMLError, Exception)


def test_a_card_is_sampled_and_read_again(nvml: SimpleNamespace, broker: None) -> None:
    telemetry.sample()
    (device,) = telemetry.read().devices
    assert (device.id, device.name) == ("GPU-0abc", "Tesla T4")
    assert (device.memory_used_bytes, device.memory_total_bytes, device.utilisation) == (5_000, 16_000, 0.73)


def test_a_machine_without_a_driver_has_no_card(nvml: SimpleNamespace, broker: None) -> None:
    def no_driver() -> None:
        raise NVMLError("Driver Not Loaded")

    nvml.nvmlInit = no_driver
    assert telemetry.sample().devices == ()
    assert telemetry.holders("GPU-0abc") == []


def test_who_holds_a_cards_memory(nvml: SimpleNamespace) -> None:
    assert telemetry.holders("GPU-0abc") == [(7, 4_000), (8, 0)]
    assert telemetry.holders("cpu-host") == []


def test_the_busy_share_is_of_the_time_since_the_last_sample(broker: None, monkeypatch: pytest.MonkeyPatch) -> None:
    # Given a pool that began 100 s ago and has worked 20 of them
    now = time.time()
    join("whisper", status="ready", began_at=now - 100, busy_s=20, peak_bytes=3_000, share_bytes=4_000, device_id="x")
    monkeypatch.setattr(telemetry.time, "time", lambda: now)
    (first,) = telemetry.sample().pools
    assert first.busy_share == pytest.approx(0.2, abs=0.01)
    assert (first.peak_bytes, first.share_bytes, first.device) == (3_000, 4_000, "x")

    # When it works for five of the next ten seconds, and still does
    monkeypatch.setattr(telemetry.time, "time", lambda: now + 10)
    join("whisper", busy_since=now + 5)

    # Then that is half of them
    (second,) = telemetry.sample().pools
    assert second.busy_share == pytest.approx(0.5, abs=0.01)
    assert telemetry.read().pools == (second,)


def test_old_samples_are_not_read(broker: None, monkeypatch: pytest.MonkeyPatch) -> None:
    now = time.time()
    join("cpu", status="ready")
    telemetry.sample()
    monkeypatch.setattr(telemetry.time, "time", lambda: now + telemetry.KEPT_S + 5)
    assert telemetry.read() == telemetry.Telemetry()
