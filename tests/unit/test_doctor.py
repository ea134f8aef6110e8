"""What the doctor finds, and what it says to do."""

import re
import socket
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from pipeline.errors import EngineError
from pipeline.monitoring.doctor import Check, Probe, Status, examine
from pipeline.monitoring.doctor import client as client_checks
from pipeline.settings import settings
from pipeline.state.beat_heartbeat import KEPT_S, beat_now
from pipeline.state.redis import connect
from pipeline.state.worker_registry import Worker, WorkerRegistry
from tests import voxtral_checkpoint
from tests.pool_workers import join
from tests.services import start_valkey
from workers import device, doctor
from workers.device import GIB, ComputeDevice
from workers.memory import cards
from workers.memory.cards import Card


@pytest.fixture(autouse=True)
def _own_settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    for name in ("STATE_DIR", "CACHE_DIR"):
        monkeypatch.setenv(f"DUET_{name}", str(tmp_path / name.lower()))
    settings.cache_clear()
    yield
    settings.cache_clear()


def given(monkeypatch: pytest.MonkeyPatch, **variables: str) -> None:
    for name, value in variables.items():
        monkeypatch.setenv(f"DUET_{name.upper()}", value)
    settings.cache_clear()


def found(probes: list[Probe], name: str) -> Check:
    return next(examine([probe for probe in probes if probe.name == name]))


@pytest.fixture
def a_t4(monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine as torch describes one with a T4."""
    place = ComputeDevice(torch.device("cuda", 0), torch.float16)
    monkeypatch.setattr(device, "choose", lambda name: place)
    monkeypatch.setattr("workers.memory.request.choose", lambda name: place)
    monkeypatch.setattr(device, "has_cuda", lambda: True)
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda of: "Tesla T4")
    monkeypatch.setattr(cards, "of", lambda of: Card("Tesla T4", 14.6 * GIB, "fp16"))
    monkeypatch.setattr(cards, "free_bytes", lambda of: 14.0 * GIB)


def test_an_error_is_a_failed_check_with_its_next_step_and_the_others_go_on() -> None:
    def raises() -> Check:
        raise EngineError("The card is full; end what uses it.")

    first, second = examine([Probe("device", raises), Probe("disk", lambda: Check("disk", Status.OK, "room"))])
    assert first == Check("device", Status.FAILED, "The card is full", "end what uses it.")
    assert second.status is Status.OK


def test_storage_is_written_read_and_left_clean(tmp_path: Path) -> None:
    check = found(client_checks.probes(str(tmp_path / "results")), "storage")
    assert check.status is Status.OK
    assert not list((tmp_path / "results").rglob("*duet*"))


def test_storage_that_refuses_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    check = found(client_checks.probes(str(tmp_path / "file" / "below")), "storage")
    assert check.status is Status.FAILED
    assert str(tmp_path / "file") in check.found


@pytest.mark.parametrize(("free_gb", "status"), [(0.5, Status.FAILED), (5, Status.WARNING), (50, Status.OK)])
def test_disk(monkeypatch: pytest.MonkeyPatch, free_gb: float, status: Status) -> None:
    monkeypatch.setattr(client_checks, "_free_bytes", lambda folder: int(free_gb * 1e9))
    assert found(client_checks.probes(), "disk").status is status


def test_without_a_broker_it_is_said_who_starts_one() -> None:
    probes = client_checks.probes()
    assert found(probes, "broker").status is Status.OK
    assert not [probe for probe in probes if probe.name.startswith("pool")]


def test_a_broker_without_workers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # Given a Valkey that keeps nothing and has no workers
    with start_valkey(tmp_path) as url:
        given(monkeypatch, broker_url=url)
        probes = client_checks.probes(host="here")

        # Then it answers, is warned of, its clock is ours, and the pools are missed
        broker = found(probes, "broker")
        assert (broker.status, "appendonly" in broker.next_step) == (Status.WARNING, True)
        assert found(probes, "clock").status is Status.OK
        pool = found(probes, "pool-whisper")
        assert (pool.status, pool.found) == (Status.FAILED, "no worker answers on here")


def test_a_broker_that_fills_up_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with start_valkey(tmp_path) as url, connect(url) as client:
        given(monkeypatch, broker_url=url)
        client.config_set("maxmemory", "1mb")

        broker = found(client_checks.probes(), "broker")

    assert broker.status is Status.WARNING
    assert "% full" in broker.found
    assert "duet forget --before" in broker.next_step


def test_machines_of_one_name_are_warned_of(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with start_valkey(tmp_path) as url, connect(url) as client:
        given(monkeypatch, broker_url=url)
        registry, here = WorkerRegistry(client), Worker.here("whisper@gpu")

        # Given workers of other pools of this machine, of another machine, and of this one that are lost
        for worker in (here, Worker.here("cpu@gpu"), replace(here, id="whisper@other.1", place="another machine")):
            registry.heartbeat(worker)
        gone = replace(here, id="whisper@gpu.before", place="before the machine was started again")
        registry.heartbeat(gone)
        registry.deregister(gone)
        assert found(client_checks.probes(), "names").status is Status.OK

        # When another machine has the same name, then it is said which
        registry.heartbeat(replace(here, id="whisper@gpu.clone", place="a clone"))
        check = found(client_checks.probes(), "names")
        assert (check.status, check.found) == (Status.WARNING, "whisper@gpu on 2 machines")


def test_a_clock_that_has_stopped_is_missed_where_it_should_be(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with start_valkey(tmp_path) as url, connect(url) as client:
        given(monkeypatch, broker_url=url)
        here = socket.gethostname()

        # Given a clock on this machine that has just sent something
        beat_now(client)
        assert re.fullmatch(rf"{here} sent something \d+ s ago", found(client_checks.probes(), "beat").found)
        assert found(client_checks.probes(host=here), "beat").status is Status.OK

        # Then it is none of another machine's, and when its marks have run out it is missed
        assert found(client_checks.probes(host="elsewhere"), "beat").status is Status.FAILED
        for key in client.keys("duet:clock:*"):
            assert 0 < client.ttl(key) <= KEPT_S
            client.pexpire(key, 0)
        check = found(client_checks.probes(), "beat")
        assert (check.status, check.found) == (Status.FAILED, f"no clock has sent anything for {KEPT_S} s")


def test_a_clock_that_is_off(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with start_valkey(tmp_path) as url:
        given(monkeypatch, broker_url=url)
        now = client_checks.time.time()
        monkeypatch.setattr(client_checks.time, "time", lambda: now - 60)
        check = found(client_checks.probes(), "clock")
    assert check.status is Status.WARNING
    assert re.fullmatch(r"(59|60)\.\d\d s behind the broker's", check.found)


def test_a_broker_that_is_not_there(monkeypatch: pytest.MonkeyPatch) -> None:
    given(monkeypatch, broker_url="redis://localhost:1/0")
    probes = client_checks.probes()
    assert [found(probes, name).status for name in ("broker", "clock", "pool-cpu")] == [Status.FAILED] * 3


@pytest.mark.skipif(torch.cuda.is_available(), reason="this machine has a CUDA device")
def test_a_cpu_is_warned_of_and_a_missing_card_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    assert found(doctor.probes(), "device").status is Status.WARNING
    assert found(doctor.probes(), "driver").status is Status.OK
    given(monkeypatch, device="cuda:1")
    assert found(doctor.probes(), "device").status is Status.FAILED
    assert found(doctor.probes(), "driver").status is Status.FAILED


def test_weights_that_are_here_have_a_digest_and_others_are_not_fetched(monkeypatch: pytest.MonkeyPatch) -> None:
    assert "SHA-256 " in found(doctor.probes(), "whisper-weights").found
    given(monkeypatch, whisper_model="medium")
    assert found(doctor.probes(), "whisper-weights").status is Status.WARNING
    given(monkeypatch, whisper_model="/nowhere.pt")
    assert found(doctor.probes(), "whisper-weights").status is Status.FAILED


def test_a_card_is_described(a_t4: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # Given a T4 with a driver
    version = tmp_path / "version"
    version.write_text("NVRM version: NVIDIA UNIX x86_64 Kernel Module  570.86\nGCC version: 12\n")
    monkeypatch.setattr(doctor, "_DRIVER", version)
    probes = doctor.probes()

    # Then driver, memory, precision and plan are told
    assert "570.86" in found(probes, "driver").found
    assert found(probes, "device") == Check("device", Status.OK, "cuda:0 (Tesla T4), 14.0 of 14.6 GiB free")
    assert "no bfloat16" in found(probes, "precision").found
    assert found(probes, "plan").status is Status.OK
    given(monkeypatch, voxtral_model="mistralai/Voxtral-Small-24B-2507")
    assert found(doctor.probes(), "plan").status is Status.FAILED


def test_voxtral_weights(a_t4: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    given(monkeypatch, voxtral_model="/nowhere/voxtral")
    assert found(doctor.probes(), "voxtral-weights").status is Status.FAILED
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path / "hub"))
    given(monkeypatch, voxtral_model="mistralai/Voxtral-Mini-3B-2507")
    assert found(doctor.probes(), "voxtral-weights").status is Status.WARNING
    given(monkeypatch, voxtral_model=str(voxtral_checkpoint.build(tmp_path / "model")))
    assert found(doctor.probes(), "voxtral-weights").status is Status.OK
    given(monkeypatch, voxtral_quantize="int8")
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda of: (7, 0))
    assert found(doctor.probes(), "voxtral-weights").status is Status.FAILED
    given(monkeypatch, voxtral="off")
    assert found(doctor.probes(), "voxtral-weights").status is Status.OK


def test_voxtral_weights_on_a_cpu_without_bfloat16(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(device, "cpu_has_bfloat16", lambda: False)
    folder = str(voxtral_checkpoint.build(tmp_path / "model"))
    given(monkeypatch, device="cpu", voxtral_model=folder)
    check = found(doctor.probes(), "voxtral-weights")
    assert check.status is Status.WARNING
    assert "DUET_VOXTRAL_QUANTIZE=int8" in check.next_step
    given(monkeypatch, device="cpu", voxtral_model=folder, voxtral_quantize="int8")
    assert found(doctor.probes(), "voxtral-weights").status is Status.OK


@pytest.mark.parametrize(("other", "status"), [("GPU-1", Status.OK), ("GPU-2", Status.WARNING)])
def test_pools_of_one_machine_on_two_devices(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, other: str, status: Status
) -> None:
    with start_valkey(tmp_path) as url:
        given(monkeypatch, broker_url=url)
        for pool, device_id in (("whisper", "GPU-1"), ("voxtral", other)):
            join(pool, "one", host="one", device="cuda:0", device_id=device_id)
        assert found(client_checks.probes(), "one-device").status is status
