"""`duet models get`: weights from a hub onto this machine, resumed and verified."""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests import hub, voxtral_checkpoint
from tests.hub import Hub

MODEL = "some/voxtral"


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    # The hub's client writes 10 MB at a time, so that there must be more for a download to go on.
    return voxtral_checkpoint.build(tmp_path_factory.mktemp("voxtral"), hidden=192)


@pytest.fixture
def server(checkpoint: Path) -> Iterator[Hub]:
    with hub.serve(checkpoint) as running:
        yield running


def get(server: Hub, home: Path, *command: str) -> subprocess.CompletedProcess[str]:
    own = {"HF_ENDPOINT": server.url, "HF_HOME": str(home), "XDG_CACHE_HOME": str(home / "cache")}
    environment = os.environ | own | {"DUET_VOXTRAL_MODEL": MODEL, "HF_HUB_OFFLINE": "0", "COLUMNS": "500"}
    return subprocess.run(
        [sys.executable, "-m", "pipeline.cli", "models", "get", *(command or ("voxtral",))],
        env=environment,
        capture_output=True,
        text=True,
    )


def weights(home: Path) -> Path:
    (found,) = home.rglob("model.safetensors")
    return found


def test_a_model_is_fetched_once_and_found_by_a_pool(server: Hub, checkpoint: Path, tmp_path: Path) -> None:
    done = get(server, tmp_path)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith(f"voxtral/{MODEL}: ")
    assert weights(tmp_path).read_bytes() == (checkpoint / "model.safetensors").read_bytes()
    server.sent.clear()
    assert get(server, tmp_path, f"voxtral/{MODEL}").returncode == 0
    assert server.sent == []


def test_a_download_that_broke_off_goes_on_where_it_was(server: Hub, checkpoint: Path, tmp_path: Path) -> None:
    # Given a connection that breaks before the end of the weights
    size = (checkpoint / "model.safetensors").stat().st_size
    server.breaks_off_at = size - 1

    # When the model is fetched, again if need be
    done = get(server, tmp_path)
    if done.returncode:
        done = get(server, tmp_path)

    # Then only what was not written yet is sent again, and the file is whole
    assert done.returncode == 0, done.stderr
    first, second = (first for name, first in server.sent if name == "model.safetensors")
    assert first == 0
    assert second >= size // 2
    assert weights(tmp_path).read_bytes() == (checkpoint / "model.safetensors").read_bytes()


def test_a_file_that_was_damaged_on_the_disk_is_named(server: Hub, tmp_path: Path) -> None:
    assert get(server, tmp_path).returncode == 0
    blob = weights(tmp_path).resolve()
    data = bytearray(blob.read_bytes())
    data[-1] ^= 1
    blob.chmod(0o644)
    blob.write_bytes(data)
    done = get(server, tmp_path)
    assert done.returncode == 1
    assert f"{blob} is damaged; delete it and fetch the model again." in " ".join(done.stderr.split())
    assert "Traceback" not in done.stderr


def test_a_model_without_a_name_is_refused(server: Hub, tmp_path: Path) -> None:
    done = get(server, tmp_path, "nothing")
    assert done.returncode != 0
    assert "names no model" in done.stderr
