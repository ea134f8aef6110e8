"""Standard output and standard error: whatever they are, a command ends with a sentence or quietly."""

import os
import sys
from pathlib import Path
from typing import Any, TextIO

from typer.core import TyperGroup

from pipeline.cli.console import FAILED, complain

CLOSED = 141
"""As a shell says it of a program that wrote to a pipe which nobody reads any more."""


class Commands(TyperGroup):
    """The commands; one whose output nobody reads any more, such as of `| head -1`, ends without a word."""

    def invoke(self, ctx: Any) -> Any:
        """Run the command."""
        try:
            return super().invoke(ctx)
        except OSError as error:
            if error.filename is None and (trouble := _trouble(sys.stdout)):
                raise SystemExit(_told(trouble)) from None
            raise


def make_safe() -> None:
    """Have characters that a stream cannot write be replaced, and a stream that is closed take everything."""
    sys.stdout = sys.stdout or _nowhere()
    sys.stderr = sys.stderr or _nowhere()
    for stream in (sys.stdout, sys.stderr):
        if reconfigure := getattr(stream, "reconfigure", None):
            reconfigure(errors="replace")


def write_bytes(data: bytes) -> None:
    """Write what a file holds as it is: UTF-8, whatever the terminal's own characters are."""
    sys.stdout.flush()
    sys.stdout.buffer.write(data)


def written(status: int) -> int:
    """Return the exit status once all that was said is out, which only then may be seen to fail."""
    trouble = _trouble(sys.stdout)
    return _told(trouble) if trouble else status


def _trouble(stream: TextIO) -> OSError | None:
    try:
        stream.flush()
    except OSError as error:
        return error
    return None


def _told(trouble: OSError) -> int:
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # Python tries once more when it ends
    if isinstance(trouble, BrokenPipeError):
        return CLOSED
    complain(f"Standard output cannot be written: {trouble.strerror}.")
    return FAILED


def _nowhere() -> TextIO:
    return Path(os.devnull).open("w", encoding="utf-8")  # it is there until the process ends
