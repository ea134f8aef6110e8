"""A system's process, as the benchmark sees it."""

import json
import os
import subprocess
import tempfile
from pathlib import Path
from typing import Any, Self

from pipeline.messaging.commands import ARITHMETIC
from tests.benchmarks.systems.environments import ROOT, NotReady, reason_of
from tests.benchmarks.systems.registry import SYSTEMS

OFFLINE = {"HF_HUB_OFFLINE": "1", "TOKENIZERS_PARALLELISM": "false"}


class Process:
    """A loaded system that answers one audio file after the other; leave it with `with`."""

    def __init__(self, name: str, checkpoint: Path, threads: int) -> None:
        system = SYSTEMS[name]
        python = system.prepare(checkpoint)
        self._log = tempfile.TemporaryFile("w+")  # noqa: SIM115
        self._process = subprocess.Popen(
            [str(python), "-m", system.module, name, str(system.weights_path(checkpoint)), str(threads)],
            cwd=ROOT,
            # The same for all: threads that sleep while they wait, since the machine may have other work.
            env=ARITHMETIC | OFFLINE | {"OMP_NUM_THREADS": str(threads)} | os.environ,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._log,
            text=True,
        )

    def __enter__(self) -> Self:
        self._read()
        return self

    def __exit__(self, *error: object) -> None:
        self._process.kill()
        self._process.communicate()
        self._log.close()

    def hear(self, audio: Path) -> dict[str, Any]:
        """Return the text of a file and its figures.

        Raises:
            NotReady: the process ended.
        """
        assert self._process.stdin
        self._process.stdin.write(json.dumps({"audio": str(audio)}) + "\n")
        self._process.stdin.flush()
        return self._read()

    def _read(self) -> dict[str, Any]:
        assert self._process.stdout
        line = self._process.stdout.readline()
        if not line:
            code = self._process.wait()
            self._log.seek(0)
            raise NotReady(f"its process ended with {code}: {reason_of(self._log.read())}")
        found: dict[str, Any] = json.loads(line)
        return found
