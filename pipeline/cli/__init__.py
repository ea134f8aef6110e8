"""The command line: one module per command; commands.py lists them."""

import signal
import sys
from typing import Annotated, NoReturn

import typer

from pipeline.cli.streams import Commands, make_safe, written

app = typer.Typer(
    name="duet",
    cls=Commands,
    help="Transcribe podcast episodes in seconds and analyze them in minutes.",
    context_settings={"help_option_names": ["-h", "--help"]},
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
)


def _print_version(is_asked: bool) -> None:
    if is_asked:
        from importlib.metadata import version

        print(f"duet {version('duet')}")
        raise typer.Exit


@app.callback()
def duet(
    _: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    """Take the options that stand before a command."""


def main() -> NoReturn:
    """Run the command line; errors are reported in one sentence, never as a traceback."""
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, _interrupt)
    make_safe()
    sys.exit(written(_status()))


def _status() -> int:
    try:
        app()
    except SystemExit as ended:
        return ended.code if isinstance(ended.code, int) else 1 if ended.code else 0
    except Exception as error:
        return _fail(error)
    return 0


def _fail(error: Exception) -> int:
    from pipeline.cli.terminal import FAILED, print_error
    from pipeline.logs import as_duet_error, sentence_of

    sentence = sentence_of(error) if isinstance(error, OSError) else str(as_duet_error(error, "This command"))
    print_error(sentence)
    return FAILED


def _interrupt(*_: object) -> NoReturn:
    raise KeyboardInterrupt
