"""Standard output and standard error; a command reports their failure in one sentence, or ends silently."""

import errno
import io
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TextIO

from pipeline.cli.commands import LazyCommands

CLOSED = 141
"""The exit status that a shell reports for a program killed by SIGPIPE (128 + 13)."""


class OutputError(OSError):
    """A failure to write standard output, as opposed to any other file."""


class Commands(LazyCommands):
    """The group of commands; a command whose output pipe is closed, as by `| head -1`, ends silently."""

    def invoke(self, ctx: Any) -> Any:
        """Run the command."""
        try:
            return super().invoke(ctx)
        except OutputError as error:
            raise SystemExit(_exit_status(error)) from None


def make_safe() -> None:
    """Replace characters that a stream cannot encode, and discard output to a closed stream."""
    if sys.stdout is None:
        sys.stdout = _open_devnull()
    elif type(sys.stdout) is io.TextIOWrapper:
        out = sys.stdout
        sys.stdout = _Output(out.buffer, out.encoding, "replace", line_buffering=out.line_buffering)
    if sys.stderr is None:
        sys.stderr = _open_devnull()
    elif isinstance(sys.stderr, io.TextIOWrapper):
        sys.stderr.reconfigure(errors="replace")


def write_bytes(data: bytes) -> None:
    """Write the bytes of a file unchanged: UTF-8, whatever the terminal's encoding is."""
    sys.stdout.flush()
    with _named():
        sys.stdout.buffer.write(data)
        sys.stdout.buffer.flush()


def written(status: int) -> int:
    """Return the exit status after flushing standard output, since some write errors appear only then."""
    try:
        sys.stdout.flush()
    except OSError as error:
        return _exit_status(error)
    return status


class _Output(io.TextIOWrapper):
    """Standard output that raises `OutputError`, to separate its errors from those of files and sockets."""

    def write(self, text: str) -> int:
        with _named():
            return super().write(text)

    def flush(self) -> None:
        with _named():
            super().flush()


@contextmanager
def _named() -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise OutputError(error.errno, error.strerror) from None


def _exit_status(error: OSError) -> int:
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # Python flushes once more at exit
    if error.errno == errno.EPIPE:
        return CLOSED
    from pipeline.cli.terminal import FAILED, print_error

    print_error(f"Standard output cannot be written: {error.strerror}.")
    return FAILED


def _open_devnull() -> TextIO:
    return Path(os.devnull).open("w", encoding="utf-8")  # open until the process ends
