"""The terminal: both consoles, exit codes, and the interruption of a command."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import NoReturn

import typer

from pipeline.cli.printable import SafeConsole

console = SafeConsole()
messages = SafeConsole(stderr=True)
TICK_S = 0.25
FAILED = 1
BAD_USAGE = 2
INTERRUPTED = 130


def print_error(sentence: str) -> None:
    """Print an error in one sentence on the error stream."""
    messages.print(sentence, style="red", markup=False, highlight=False)


def exit_usage(sentence: str) -> NoReturn:
    """Print an error and end the command with the exit status of bad usage."""
    print_error(sentence)
    raise typer.Exit(BAD_USAGE)


@contextmanager
def interruptible(farewell: str, code: int) -> Iterator[None]:
    """End the command with a sentence and an exit status on Ctrl-C, SIGTERM or SIGHUP."""
    try:
        yield
    except KeyboardInterrupt:
        messages.print(farewell)
        raise typer.Exit(code) from None
