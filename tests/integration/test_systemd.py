"""The units, as systemd itself reads them; none is started."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

FOLDER = Path(__file__).parents[2] / "docker/systemd"
INSTALLED = "/opt/duet/bin/duet"
UNITS = sorted(path.name for path in FOLDER.iterdir() if path.suffix in (".service", ".target"))


def test_systemd_has_nothing_to_say(tmp_path: Path) -> None:
    if not shutil.which("systemd-analyze"):
        pytest.skip("needs systemd-analyze (Debian: apt-get install systemd)")
    # It looks whether the command is there: this environment's stands for the installed one.
    here = str(Path(sys.executable).with_name("duet"))
    for name in UNITS:
        (tmp_path / name).write_text((FOLDER / name).read_text().replace(INSTALLED, here))
    paths = [str(tmp_path / name) for name in UNITS]
    done = subprocess.run(["systemd-analyze", "verify", "--man=no", *paths], capture_output=True, text=True, timeout=60)
    said = [line for line in done.stderr.splitlines() if "duet" in line]
    assert done.returncode == 0, done.stderr
    assert not said


def test_every_command_is_one_of_duets(tmp_path: Path) -> None:
    commands = {
        line.removeprefix("ExecStart=").replace("%i", "cpu")
        for name in UNITS
        for line in (FOLDER / name).read_text().splitlines()
        if line.startswith("ExecStart=")
    }
    assert commands
    for command in commands:
        path, name, *arguments = command.split()
        assert path == INSTALLED
        duet = Path(sys.executable).with_name("duet")
        done = subprocess.run([duet, name, *arguments, "--help"], capture_output=True, text=True, timeout=60)
        assert done.returncode == 0, done.stdout + done.stderr
