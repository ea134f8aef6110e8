"""A pool that gives its memory back when there is nothing to do, and a doctor who finds that right."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from pipeline import submit
from pipeline.state import telemetry
from pipeline.state.pool_status import pool_states
from pipeline.types.pools import POOLS
from tests.duet import TIMEOUT_S, Duet, excerpt
from tests.faults.fleet import wait_until

pytestmark = pytest.mark.xdist_group("idle")


@pytest.fixture(scope="module")
def up(tmp_path_factory: pytest.TempPathFactory, cache: Path) -> Iterator[Duet]:
    duet = Duet(tmp_path_factory.mktemp("idle"), cache, DUET_IDLE_UNLOAD_S="1", DUET_VOXTRAL="off")
    with duet.up():
        yield duet


def test_an_idle_pool_lets_its_model_go_and_loads_it_for_the_next_episode(
    up: Duet, episodes: dict[str, Path], tmp_path: Path
) -> None:
    # Given a pool that has loaded, told what it is, and had nothing to do
    wait_until(lambda: pool_states().get("whisper", {}).get("status") == "idle", "the pool is idle", TIMEOUT_S)
    idle = pool_states()["whisper"]
    assert idle["model"] == "whisper-base"
    assert int(idle["share_bytes"]) > 10**8

    # When an episode comes
    audio = excerpt(episodes["garden-hour"], 8, tmp_path / "short.wav")
    result = submit(audio, to=tmp_path / "results").result(timeout=TIMEOUT_S)

    # Then it is heard, by the same process, which says that it was used
    assert result.legs["whisper"].status == "ok"
    wait_until(lambda: "used_at" in pool_states()["whisper"], "the use is told", TIMEOUT_S)
    used = pool_states()["whisper"]
    assert used["pid"] == idle["pid"]
    assert float(used["busy_s"]) > 0
    assert int(used["peak_bytes"]) > 10**8
    (sample,) = [it for it in telemetry.sample().pools if it.pool == "whisper"]
    assert sample.busy_s >= float(used["busy_s"])


def test_the_doctor_finds_everything_in_order(up: Duet) -> None:
    # Given the pools of this machine, loaded; a CPU is worth a warning, no failure
    wait_until(
        lambda: {pool_states().get(pool, {}).get("status") for pool in POOLS} <= {"ready", "idle"},
        "every pool is ready",
        TIMEOUT_S,
    )

    finished = up("doctor", "--json", "--here")
    checks = {check["name"]: check for check in map(json.loads, finished.out.splitlines())}
    assert finished.code == 0, checks
    assert {checks[f"pool-{pool}"]["status"] for pool in POOLS} == {"ok"}
    assert checks["broker"]["status"] == "ok"
    assert checks["plan"]["status"] == "ok"
    unknown = up("doctor", "--only", "teeth")
    assert unknown.code == 2
    assert "--only teeth is no check" in unknown.err
