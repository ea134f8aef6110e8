"""A case of the corpus: something that people send, and what Duet answers."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

MOST_BYTES = 50_000
"""Bytes of the largest input, so that a table of hundreds stays quick."""


@dataclass(frozen=True, eq=False)
class Case:
    """One input and its answer."""

    kind: str
    """Heading under which `python -m tests.wild` shows it."""
    given: str
    """Short description, unique within its door."""
    input: Any
    """Input in the form that its door takes; a function without arguments makes one that is costly."""
    answer: str
    """Part of the answer that must be there."""

    @property
    def content(self) -> Any:
        """The input, made now if it is costly."""
        return self.input() if callable(self.input) else self.input

    def __str__(self) -> str:
        """Return the name of the case in a report."""
        return f"{self.kind}: {self.given}"


@dataclass(frozen=True, eq=False)
class Door:
    """A way into Duet, with the cases that come by it."""

    name: str
    cases: tuple[Case, ...]
    answers: Callable[[tuple[Case, ...], Path], dict[Case, str]]
    """Sends all cases in, with a folder of its own, and returns each answer in one line."""
