"""The processes of a stack: what is kept of their logs, and in which order a killed stack's are ended."""

import shutil
import sys
import time
from pathlib import Path

from pipeline.embedded.child_processes import KEPT_LOGS, ChildProcesses, kill_orphans

PATIENCE_S = 30.0
TAKES_LEAVE = """
import pathlib, signal, sys, time
def leave(*_):
    time.sleep(0.3)
    state = pathlib.Path(f"/proc/{sys.argv[1]}/stat").read_text().split()[2]
    pathlib.Path(sys.argv[2]).write_text("the broker is gone" if state == "Z" else "the broker is there")
    sys.exit(0)
signal.signal(signal.SIGTERM, leave)
print("up", flush=True)
time.sleep(600)
"""


def is_up(log: Path) -> bool:
    deadline = time.monotonic() + PATIENCE_S
    while "up" not in log.read_text():
        assert time.monotonic() < deadline
        time.sleep(0.02)
    return True


def test_the_logs_of_the_last_starts_are_kept(tmp_path: Path) -> None:
    # Given a process that was started more often than logs are kept
    for number in range(KEPT_LOGS + 3):
        children = ChildProcesses(tmp_path)
        child = children.start("pool", [sys.executable, "-c", f"print('start {number}')"], {})
        child.process.wait(PATIENCE_S)
        children.stop(last="valkey")

    # Then there is the log of this start, and those of the last ones before it
    newest = KEPT_LOGS + 2
    log = tmp_path / "logs" / "pool.log"
    kept = [log, *(log.with_name(f"pool.log.{number}") for number in range(1, KEPT_LOGS + 1))]
    assert [it.read_text().strip() for it in kept] == [f"start {newest - age}" for age in range(KEPT_LOGS + 1)]
    assert sorted(log.parent.iterdir()) == sorted(kept)


def test_a_process_that_is_restarted_goes_on_with_its_log(tmp_path: Path) -> None:
    children = ChildProcesses(tmp_path)
    child = children.start("pool", [sys.executable, "-c", "print('once')"], {})
    child.process.wait(PATIENCE_S)
    children.restart(child)
    child.process.wait(PATIENCE_S)
    assert children.log_of("pool").read_text().split() == ["once", "once"]
    children.stop(last="valkey")


def test_the_broker_that_a_killed_stack_left_behind_is_ended_after_those_that_need_it(tmp_path: Path) -> None:
    # Given a broker and a worker that takes leave of it, of a stack that was killed
    program = Path(shutil.copy(shutil.which("sleep") or "", tmp_path / "valkey-server"))
    children = ChildProcesses(tmp_path)
    broker = children.start("valkey", [str(program), "600"], {})
    children.start("pool", [sys.executable, "-c", TAKES_LEAVE, str(broker.process.pid), str(tmp_path / "left")], {})
    assert is_up(children.log_of("pool"))

    # When the next stack ends what is there
    assert kill_orphans(tmp_path, last="valkey") == 2

    # Then the broker was there until the worker had left
    assert (tmp_path / "left").read_text() == "the broker is there"
