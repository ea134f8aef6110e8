"""The command line: `duet run`, `duet up`, `duet worker`."""

import json
import os
import signal
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, NoReturn

import typer
from rich.console import Console
from rich.live import Live

from pipeline.errors import AudioError, BrokerError, DuetError

if TYPE_CHECKING:
    from pipeline.run import Row, Run
    from pipeline.stack import Stack
    from pipeline.types import Options

app = typer.Typer(
    name="duet",
    help="Podcast episodes to transcripts in seconds and to what was said in them in minutes.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
)
console = Console()
messages = Console(stderr=True)
TICK_S = 0.25
BAD_USAGE = 2
INTERRUPTED = 130


class Pool(StrEnum):
    """The worker pools, as arguments of the command line."""

    WHISPER = "whisper"
    VOXTRAL = "voxtral"
    CPU = "cpu"


@app.callback()
def duet() -> None:
    """Podcast episodes to transcripts in seconds and to what was said in them in minutes."""


@app.command(epilog="Example: duet run podcasts/ --to results")
def run(
    paths: Annotated[list[Path], typer.Argument(help="Audio files, or folders with audio files anywhere below.")],
    to: Annotated[str, typer.Option("--to", metavar="URI", help="A folder, file:///folder or s3://bucket/prefix.")],
    language: Annotated[str | None, typer.Option(help="Spoken language, such as en; else it is detected.")] = None,
    force: Annotated[bool, typer.Option("--force", help="Do it all again, whatever is there.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object a line, one an episode.")] = False,
) -> None:
    """Transcribe and understand every episode below some paths, on this machine alone.

    Starts what it needs, shows the progress, writes the results and stops what it started. With
    DUET_BROKER_URL set, that broker and its workers do the work instead.
    """
    from pipeline import display
    from pipeline.run import Run
    from pipeline.storage import as_uri

    sources = [source for path in paths for source in _sources(path)]
    if all(isinstance(source, AudioError) for source in sources):
        _bad_usage(" ".join(map(str, sources)))
    it = Run(sources, as_uri(to), _options(language), force)
    with _interruptible("Interrupted. The same command goes on where this one stopped.", INTERRUPTED):
        if it.check_destination():
            with _stack() as stack:
                _work(it, stack, as_json=as_json)
        elif as_json:
            for row in it.rows:
                print(json.dumps(row.to_json()))
    if not as_json:
        console.print(display.final(it.rows))
        console.print(display.summary(it.rows, time.time() - it.started_at), highlight=False)
    raise typer.Exit(int(it.has_failures))


@app.command(epilog='Example: duet up, and in another window: python -c "from pipeline import submit; ..."')
def up() -> None:
    """Keep the embedded stack running until Ctrl-C, for the Python API and for Flower."""
    from pipeline.stack import Stack

    with _interruptible("Duet is down; what was waiting goes on when it is up again.", 0), Stack("up") as stack:
        stack.restore()
        stack.start_pools()
        console.print("Duet is up; Ctrl-C ends it. Your submit() and `celery -A pipeline flower` find it.")
        console.print(f"Broker {stack.url}, logs in {stack.children.logs}", soft_wrap=True)
        while True:
            stack.tend()
            time.sleep(TICK_S)


@app.command(epilog="Example: DUET_BROKER_URL=redis://host:6379/0 duet worker whisper")
def worker(pool: Annotated[Pool, typer.Argument(help="Which pool to run on this machine.")]) -> None:
    """Run one pool in the foreground, on the broker of DUET_BROKER_URL."""
    from pipeline.broker import broker_url
    from pipeline.pools import command, environment
    from pipeline.settings import settings

    broker_url()
    settings().state_dir.mkdir(parents=True, exist_ok=True)
    os.chdir(settings().state_dir)
    argv = command(pool.value)
    os.execvpe(argv[0], argv, environment(pool.value))


def main() -> NoReturn:
    """Run the command line; what goes wrong is told in one sentence, never as a traceback."""
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, _interrupt)
    try:
        app()
    except DuetError as error:
        messages.print(str(error), style="red", markup=False, highlight=False)
        sys.exit(1)
    sys.exit(0)


def _interrupt(*_: object) -> NoReturn:
    raise KeyboardInterrupt


@contextmanager
def _interruptible(farewell: str, code: int) -> Iterator[None]:
    try:
        yield
    except KeyboardInterrupt:
        messages.print(farewell)
        raise typer.Exit(code) from None


def _bad_usage(sentence: str) -> NoReturn:
    messages.print(sentence, style="red", markup=False, highlight=False)
    raise typer.Exit(BAD_USAGE)


def _sources(path: Path) -> list[Path | AudioError]:
    from pipeline.sources import audio_files

    try:
        return list(audio_files(path))
    except AudioError as error:
        return [error]


def _options(language: str | None) -> "Options":
    from pipeline.types import Options

    try:
        return Options(language=language)
    except ValueError:
        _bad_usage(f"--language {language}: give an ISO 639 code of two or three letters, such as en.")


@contextmanager
def _stack() -> "Iterator[Stack | None]":
    """Use the broker that is configured or up already; else start a stack for this run alone."""
    from pipeline.settings import settings
    from pipeline.stack import Stack, url_of_duet_up

    if settings().broker_url or url_of_duet_up():
        yield None
        return
    with Stack("run") as stack:
        stack.clear()
        stack.start_pools()
        yield stack


def _work(it: "Run", stack: "Stack | None", *, as_json: bool) -> None:
    from pipeline import display
    from pipeline.pools import ready_pools

    is_live = console.is_terminal and not as_json
    with Live(console=console, auto_refresh=False, transient=True) if is_live else nullcontext() as view:
        for row in _ended(it, stack):
            if row and as_json:
                print(json.dumps(row.to_json()), flush=True)
            elif row and not view:
                console.print(display.line(row), markup=False, highlight=False, soft_wrap=True)
            if view:
                view.update(display.live(it.rows, it.started_at, ready_pools()), refresh=True)


def _ended(it: "Run", stack: "Stack | None") -> "Iterator[Row | None]":
    """Yield each row once, when its episode has ended, and None between, so that the view moves."""
    told: set[int] = set()
    submitting = it.submit_all()
    while len(told) < len(it.rows):
        if stack:
            stack.tend()
        next(submitting, None)
        try:
            it.look()
            if stack:
                # After looking: a pool says that it failed before it answers any episode.
                stack.check_pools()
        except BrokerError:
            if not stack:
                raise
            continue  # our own Valkey has died; tend() starts it again with what it had written down
        for row in it.rows:
            if row.is_over and id(row) not in told:
                told.add(id(row))
                yield row
        yield None
        if it.is_submitted:
            time.sleep(TICK_S)


if __name__ == "__main__":
    main()
