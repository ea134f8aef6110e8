"""The commands by name: what each is for, an example, and its module, which is imported when the command is run."""

import inspect
import sys
from dataclasses import dataclass
from importlib import import_module
from typing import Any

import typer
from typer.core import TyperCommand, TyperGroup

LOOKING = "  looking for episodes ..."
WORK, LOOK, SERVICES, MACHINES = "Work", "Look", "Services", "Machines"


@dataclass(frozen=True)
class Entry:
    """A command in the list of `duet --help`."""

    name: str
    """Name of the command, of its module in this package, and of the function or the group of commands in that."""
    panel: str
    summary: str
    example: str = ""
    """A command line for its help; a group has an example for each of its own commands."""
    first_words: str = ""
    """Words that a terminal shows while the command is imported, where that takes long enough to be felt."""

    def load(self) -> Any:
        """Import the command and return it."""
        found = getattr(import_module(f"pipeline.cli.{self.name}"), self.name)
        if isinstance(found, typer.Typer):
            return _named(typer.main.get_group(found), self)
        alone = typer.Typer(add_completion=False, pretty_exceptions_enable=False, rich_markup_mode="rich")
        alone.command(help=unwrapped(found.__doc__ or ""), epilog=f"Example: {self.example}")(found)
        return _named(typer.main.get_command(alone), self)

    @property
    def placeholder(self) -> TyperCommand:
        """A command that has a name and a summary only."""
        return TyperCommand(name=self.name, short_help=self.summary, rich_help_panel=self.panel)


ENTRIES = (
    Entry("run", WORK, "Process episodes on this machine, start to end", "duet run podcasts/ --to results", LOOKING),
    Entry(
        "submit",
        WORK,
        "Send episodes to running workers, and return",
        "duet submit 'shows/**/*.mp3' https://example.org/feed.xml --to s3://bucket/prefix",
        LOOKING,
    ),
    Entry("cancel", WORK, "Cancel a batch or a job", "duet cancel last"),
    Entry("retry", WORK, "Run the missing parts of jobs again", "duet retry --failed"),
    Entry("ask", WORK, "Ask Voxtral about an episode", "duet ask garden-hour 'Which tree is it about?'"),
    Entry("name", WORK, "Name an episode's speakers", "duet name garden-hour S1='Ada Example' S2='Tom Reed'"),
    Entry("correct", WORK, "Correct words and chapters", "duet correct garden-hour transcript.srt"),
    Entry("forget", WORK, "Remove an episode, a job, or what is old", "duet forget garden-hour --in results"),
    Entry("watch", LOOK, "Follow a batch until it has ended", "duet watch 261122-22"),
    Entry("status", LOOK, "Show batches, or one batch or job", "duet status last"),
    Entry("failed", LOOK, "List what failed, by reason", "duet failed --json"),
    Entry("ls", LOOK, "List the episodes at a destination", "duet ls s3://bucket/prefix"),
    Entry("show", LOOK, "Read an episode's notes", "duet show garden-hour --in results"),
    Entry("open", LOOK, "Listen to an episode in the browser", "duet open garden-hour"),
    Entry(
        "export",
        LOOK,
        "Write an episode as captions, text, notes, ...",
        "duet export results/show-0123456789abcdef --format srt > show.srt",
    ),
    Entry(
        "up",
        SERVICES,
        "Run the broker and the workers here",
        'duet up, and in another window: python -c "from pipeline import submit; ..."',
    ),
    Entry("down", SERVICES, "Stop `duet up`", "duet down"),
    Entry("serve", SERVICES, "Serve the home page and the HTTP API", "duet serve --to s3://bucket/prefix"),
    Entry("keys", SERVICES, "API keys of `duet serve`"),
    Entry("flower", SERVICES, "Run Flower", "DUET_FLOWER_AUTH=me:secret duet flower --port 5555"),
    Entry("metrics", SERVICES, "Serve metrics to Prometheus", "duet metrics --port 9107"),
    Entry("worker", MACHINES, "Run one pool of workers", "DUET_BROKER_URL=redis://host:6379/0 duet worker whisper"),
    Entry("beat", MACHINES, "Run the clock of the periodic tasks", "DUET_BROKER_URL=redis://host:6379/0 duet beat"),
    Entry("scale", MACHINES, "Show how many GPU hosts are needed", "DUET_DRAIN_TARGET_S=1800 duet scale"),
    Entry("doctor", MACHINES, "Check this machine and its services", "duet doctor --storage s3://bucket/prefix"),
    Entry("plan", MACHINES, "Show what fits a device's memory", "duet plan --gpu t4 --whisper medium"),
    Entry("bench", MACHINES, "Measure the speed of this machine", "duet bench episode.mp3 --price-per-hour 0.80"),
    Entry("models", MACHINES, "Copy model weights to and from a bucket"),
)


class LazyCommands(TyperGroup):
    """A group that lists placeholders, and imports a command when it is run or completed."""

    def __init__(self, **attributes: Any) -> None:
        super().__init__(**attributes)
        self._entries = {entry.name: entry for entry in ENTRIES}
        self.commands.update({name: entry.placeholder for name, entry in self._entries.items()})

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        """Return the name of the command, the command itself, and the remaining arguments."""
        name, command, rest = super().resolve_command(ctx, args)
        entry = self._entries.get(name or "")
        if entry is None:
            return name, command, rest
        if entry.first_words and sys.stderr.isatty() and not (ctx.resilient_parsing or {"-h", "--help"} & set(rest)):
            print(entry.first_words, end="\r", file=sys.stderr, flush=True)  # the next line is printed over it
        return name, entry.load(), rest


def unwrapped(docstring: str) -> str:
    """Return a docstring with one line a paragraph, so that it is wrapped at the width of the terminal."""
    return "\n\n".join(" ".join(it.split()) for it in inspect.cleandoc(docstring).split("\n\n"))


def _named(command: Any, entry: Entry) -> Any:
    command.name, command.short_help, command.rich_help_panel = entry.name, entry.summary, entry.panel
    return command
