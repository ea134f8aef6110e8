"""Cells of tables: names shortened in the middle, statuses in words with a colour, lengths and times."""

import re
from collections.abc import Iterable
from pathlib import Path

from rich.console import Console, ConsoleOptions, RenderResult
from rich.measure import Measurement
from rich.table import Table
from rich.text import Text

from pipeline.storage import for_people
from pipeline.types.graphemes import columns, graphemes
from pipeline.types.status import JobStatus, Tone
from pipeline.types.text import safe_line
from pipeline.types.time_format import hms

COLOURS: dict[Tone, str] = {"good": "green", "warning": "yellow", "bad": "red", "open": ""}
LEAST_NAME = 8
"""Columns that a name keeps in the narrowest table."""
NAMED = 3
"""Names that are listed where many share something."""
MOST_S = 60.0
"""Seconds from which on a time is shown in minutes."""


class Name:
    """A name on one line, which gives up its middle where the table is too narrow; its end tells episodes apart."""

    def __init__(self, name: str) -> None:
        self._name = safe_line(name)

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        """Yield the name in the width that is left."""
        yield Text(shortened(self._name, options.max_width), no_wrap=True, overflow="crop")

    def __rich_measure__(self, console: Console, options: ConsoleOptions) -> Measurement:
        """Return the smallest and the full width."""
        full = columns(self._name)
        return Measurement(min(full, LEAST_NAME), full)


def shortened(name: str, most: int) -> str:
    """Return a name of at most `most` columns; a longer one has an ellipsis in its middle."""
    if columns(name) <= most:
        return name
    letters = graphemes(name)
    tail = most // 3
    head = most - 1 - tail
    return f"{_fitting(letters, head)}…{_fitting(letters[::-1], tail, backwards=True)}"


def _fitting(letters: list[str], most: int, *, backwards: bool = False) -> str:
    taken: list[str] = []
    for letter in letters:
        most -= columns(letter)
        if most < 0:
            break
        taken.append(letter)
    return "".join(reversed(taken) if backwards else taken)


def table(*names: str, right: Iterable[str] = ()) -> Table:
    """Return a table of columns that are never folded; the cells of the first that may shrink are `Name`s."""
    made = Table(box=None, pad_edge=False, header_style="bold")
    for name in names:
        made.add_column(name, justify="right" if name in right else "left", no_wrap=name not in ("episode", "show"))
    return made


def status(of: JobStatus) -> Text:
    """Return a status in words, coloured by its tone."""
    return Text(of.value, style=COLOURS[of.tone])


def length(seconds: float | None) -> str:
    """Return `1:02:03`; empty if unknown."""
    return hms(seconds) if seconds else ""


def duration(seconds: float | None) -> str:
    """Return `8.1 s`, or `2:03` for a longer time; empty if unknown."""
    if seconds is None:
        return ""
    return f"{seconds:.1f} s" if seconds < MOST_S else hms(seconds)


def some(names: Iterable[str], count: int) -> str:
    """Return the first names and the number of the others."""
    return ", ".join(list(names)[:NAMED]) + (f" and {count - NAMED} more" if count > NAMED else "")


def counted(count: int, of: str) -> str:
    """Return `1 file` or `2 files`."""
    return f"{count} {of}{'s' if count != 1 else ''}"


def natural(name: str) -> list[tuple[int, str]]:
    """Return the key of the order in which people look for a name: `ep 2` before `ep 10`, whatever its capitals."""
    return [(int(it), "") if it.isdecimal() else (0, it) for it in re.split(r"(\d+)", name.casefold())]


def from_here(uri: str) -> str:
    """Return a place as it is seen from the working folder, if it lies below it."""
    shown = for_people(uri)
    here = Path.cwd()
    if shown.startswith("/") and Path(shown).is_relative_to(here):
        return str(Path(shown).relative_to(here))
    return shown
