"""Running Duet's command line as a person would, in a process of its own."""

import json
import os
import subprocess
import sys
import time
import wave
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil
import pytest

from pipeline.settings import settings
from workers.audio.audio_file import SAMPLE_RATE_HZ, load

TIMEOUT_S = 240
POLL_S = 0.05
TRACEBACK = "Traceback (most recent call last)"


@dataclass(frozen=True)
class Finished:
    """A command that has ended."""

    code: int
    out: str
    err: str

    @property
    def rows(self) -> list[dict[str, Any]]:
        """The objects of episodes that `--json` printed, by the order of their sources' names."""
        return [row for row in self._printed if row["status"] != "skipped"]

    @property
    def left_out(self) -> list[dict[str, Any]]:
        """Those of files that are no episodes."""
        return [row for row in self._printed if row["status"] == "skipped"]

    @property
    def _printed(self) -> list[dict[str, Any]]:
        return sorted((json.loads(line) for line in self.out.splitlines()), key=lambda row: row["source"])


class Duet:
    """The command `duet` with a state folder of its own."""

    def __init__(self, folder: Path, cache: Path, **variables: str) -> None:
        self.state = folder / "state"
        clean = {name: value for name, value in os.environ.items() if not name.startswith(("DUET_", "AWS_"))}
        self.environment = clean | {
            "DUET_STATE_DIR": str(self.state),
            "DUET_CACHE_DIR": str(cache),
            "COLUMNS": "200",
            **variables,
        }

    def __call__(self, *arguments: str | Path, **variables: str) -> Finished:
        """Run a command to its end."""
        process = self.start(*arguments, **variables)
        try:
            out, err = process.communicate(timeout=TIMEOUT_S)
        except subprocess.TimeoutExpired:
            process.kill()
            logs = [f"{log.name}: {log.read_text()[-2000:]}" for log in self.state.glob("logs/*.log")]
            raise AssertionError("\n".join(["duet did not end", *logs])) from None
        return Finished(process.returncode, out, err)

    def start(self, *arguments: str | Path, **variables: str) -> "subprocess.Popen[str]":
        """Start a command and leave it running."""
        return subprocess.Popen(
            [str(Path(sys.executable).with_name("duet")), *map(str, arguments)],
            env=self.environment | variables,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    @contextmanager
    def up(self) -> Iterator[None]:
        """Keep `duet up` running, and let this process's API find it."""
        process = self.start("up")
        try:
            deadline = time.monotonic() + TIMEOUT_S
            while not (self.state / "broker.url").is_file():
                assert process.poll() is None, process.communicate()
                assert time.monotonic() < deadline, "duet up did not come up"
                time.sleep(POLL_S)
            with pytest.MonkeyPatch.context() as patch:
                for name in self.environment:
                    if name.startswith(("DUET_", "AWS_")):
                        patch.setenv(name, self.environment[name])
                settings.cache_clear()
                yield
        finally:
            settings.cache_clear()
            process.terminate()
            process.communicate(timeout=TIMEOUT_S)
        assert self.processes() == []

    def processes(self) -> list[psutil.Process]:
        """Return every process that runs with this state folder."""
        found = []
        for process in psutil.process_iter():
            try:
                if process.environ().get("DUET_STATE_DIR") == str(self.state):
                    found.append(process)
            except (psutil.Error, OSError):
                continue  # not ours to look into, or gone
        return [process for process in found if process.is_running() and process.status() != psutil.STATUS_ZOMBIE]


def excerpt(audio: Path, seconds: float, target: Path) -> Path:
    """Write the first seconds of an audio file as a WAV file."""
    samples = load(audio)[: int(seconds * SAMPLE_RATE_HZ)]
    return write_wav(target, (samples * 32767).astype("<i2").tobytes())


def silence(seconds: float, target: Path) -> Path:
    """Write a WAV file without any sound."""
    return write_wav(target, bytes(2 * int(seconds * SAMPLE_RATE_HZ)))


def write_wav(target: Path, frames: bytes) -> Path:
    """Write 16-bit mono frames as a WAV file."""
    with wave.open(str(target), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(SAMPLE_RATE_HZ)
        file.writeframes(frames)
    return target
