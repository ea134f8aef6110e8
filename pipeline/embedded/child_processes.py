"""Child processes that can be identified and ended even after their parent process was killed."""

import contextlib
import os
import signal
import subprocess
import time
import uuid
from dataclasses import dataclass
from pathlib import Path

import psutil

MARK = "DUET_STACK_ID"
"""Environment variable with the stack's mark, inherited by all descendants of its processes."""
KILL_AFTER_S = 10.0
POLL_S = 0.05
KEPT_LOGS = 3
"""Number of logs of earlier starts, `<name>.log.1` and so on, newest first."""


@dataclass
class ChildProcess:
    """A process of the stack, with the arguments for its restart."""

    name: str
    command: list[str]
    environment: dict[str, str]
    process: "subprocess.Popen[bytes]"
    restarts: int = 0

    @property
    def is_alive(self) -> bool:
        """Whether the process runs."""
        return self.process.poll() is None


class ChildProcesses:
    """The processes of one stack.

    Each runs in its own session, so that Ctrl-C reaches only the process that shows the progress. Their mark is written
    to the state folder before the first one starts, so that a later stack can end them all.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.logs = folder / "logs"
        self.mark = uuid.uuid4().hex
        self._children: list[ChildProcess] = []
        self._mark_file.write_text(self.mark)
        self.logs.mkdir(exist_ok=True)

    @property
    def _mark_file(self) -> Path:
        return self.folder / "stack.id"

    def start(self, name: str, command: list[str], environment: dict[str, str]) -> ChildProcess:
        """Start a process whose output goes to `logs/<name>.log`; logs of earlier starts are rotated."""
        _rotate(self.log_of(name))
        child = ChildProcess(name, command, environment | {MARK: self.mark}, self._spawn(name, command, environment))
        self._children.append(child)
        return child

    def restart(self, child: ChildProcess) -> None:
        """Restart a process that has ended."""
        child.restarts += 1
        child.process = self._spawn(child.name, child.command, child.environment)

    def ended(self) -> list[ChildProcess]:
        """Return the processes that have ended."""
        return [child for child in self._children if not child.is_alive]

    def log_of(self, name: str) -> Path:
        """Return the path of a process's log."""
        return self.logs / f"{name}.log"

    def stop(self, *, last: str) -> None:
        """End all processes, the one named `last` after all others."""
        _stop([psutil.Process(child.process.pid) for child in self._children if child.is_alive and child.name != last])
        _stop([psutil.Process(child.process.pid) for child in self._children if child.is_alive])
        kill_marked(self.mark)
        for child in self._children:
            child.process.wait(timeout=KILL_AFTER_S)
        self._children.clear()
        self._mark_file.unlink(missing_ok=True)

    def _spawn(self, name: str, command: list[str], environment: dict[str, str]) -> "subprocess.Popen[bytes]":
        with self.log_of(name).open("ab") as log:
            return subprocess.Popen(
                command,
                env=environment | {MARK: self.mark},
                cwd=self.folder,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )


def kill_orphans(folder: Path, *, last: str) -> int:
    """End the processes that a killed stack of this folder left behind, and return their number.

    Args:
        folder: the stack's state folder.
        last: start of the name of the program to end last, which the others need to requeue their messages.
    """
    mark_file = folder / "stack.id"
    if not mark_file.is_file():
        return 0
    mark = mark_file.read_text()
    first = [process for process in _find_marked(mark) if not _name_of(process).startswith(last)]
    _stop(first)
    count = len(first) + kill_marked(mark)
    mark_file.unlink(missing_ok=True)
    return count


def kill_marked(mark: str) -> int:
    """End every process with a mark, and return their number."""
    marked = _find_marked(mark)
    _stop(marked)
    return len(marked)


def _find_marked(mark: str) -> list[psutil.Process]:
    return [process for process in psutil.process_iter() if _mark_of(process) == mark]


def _name_of(process: psutil.Process) -> str:
    try:
        return process.name()
    except psutil.Error:
        return ""  # gone already


def _rotate(log: Path) -> None:
    """Start a new log; rename the previous one to `<name>.log.1`."""
    for number in range(KEPT_LOGS, 0, -1):
        older = log.with_name(f"{log.name}.{number}")
        newer = log.with_name(f"{log.name}.{number - 1}") if number > 1 else log
        if newer.is_file():
            newer.replace(older)
    log.write_bytes(b"")


def _mark_of(process: psutil.Process) -> str | None:
    if process.pid == os.getpid():
        return None
    try:
        return process.environ().get(MARK)
    except (psutil.Error, OSError):
        return None  # not ours, or gone already


def _stop(processes: list[psutil.Process]) -> None:
    _signal(processes, signal.SIGTERM)
    deadline = time.monotonic() + KILL_AFTER_S
    alive = processes
    while alive and time.monotonic() < deadline:
        _, alive = psutil.wait_procs(alive, timeout=POLL_S)
    _signal(alive, signal.SIGKILL)
    psutil.wait_procs(alive, timeout=KILL_AFTER_S)


def _signal(processes: list[psutil.Process], number: signal.Signals) -> None:
    for process in processes:
        with contextlib.suppress(psutil.NoSuchProcess):
            process.send_signal(number)
