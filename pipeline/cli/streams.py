"""Standard output and standard error: whatever they are, a command ends with a sentence or quietly."""

import errno
import io
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TextIO

from typer.core import TyperGroup

from pipeline.cli.terminal import FAILED, complain

CLOSED = 141
"""As a shell says it of a program that wrote to a pipe which nobody reads any more."""


class OutputError(OSError):
    """Standard output cannot be written; no other file is meant."""


class Commands(TyperGroup):
    """The commands; one whose output nobody reads any more, such as of `| head -1`, ends without a word."""

    def invoke(self, ctx: Any) -> Any:
        """Run the command."""
        try:
            return super().invoke(ctx)
        except OutputError as error:
            raise SystemExit(_told(error)) from None


def make_safe() -> None:
    """Replace characters that a stream cannot write, and let a closed stream accept output."""
    if sys.stdout is None:
        sys.stdout = _nowhere()
    elif type(sys.stdout) is io.TextIOWrapper:
        out = sys.stdout
        sys.stdout = _Output(out.buffer, out.encoding, "replace", line_buffering=out.line_buffering)
    if sys.stderr is None:
        sys.stderr = _nowhere()
    elif isinstance(sys.stderr, io.TextIOWrapper):
        sys.stderr.reconfigure(errors="replace")


def write_bytes(data: bytes) -> None:
    """Write what a file holds as it is: UTF-8, whatever the terminal's own characters are."""
    sys.stdout.flush()
    with _named():
        sys.stdout.buffer.write(data)
        sys.stdout.buffer.flush()


def written(status: int) -> int:
    """Return the exit status once all that was said is out, which only then may be seen to fail."""
    try:
        sys.stdout.flush()
    except OSError as error:
        return _told(error)
    return status


class _Output(io.TextIOWrapper):
    """Standard output, whose own errors are told from those of files and sockets."""

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


def _told(error: OSError) -> int:
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # Python tries once more when it ends
    if error.errno == errno.EPIPE:
        return CLOSED
    complain(f"Standard output cannot be written: {error.strerror}.")
    return FAILED


def _nowhere() -> TextIO:
    return Path(os.devnull).open("w", encoding="utf-8")  # it is there until the process ends
