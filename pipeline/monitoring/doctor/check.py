"""Checks of `duet doctor`, and their execution."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from enum import StrEnum

from pipeline.errors import DuetError


class Status(StrEnum):
    """The result of a check."""

    OK = "ok"
    WARNING = "warning"
    """Duet works with limitations."""
    FAILED = "failed"


@dataclass(frozen=True)
class Check:
    """The outcome of a check: one line of `duet doctor`."""

    name: str
    status: Status
    found: str
    next_step: str = ""


@dataclass(frozen=True)
class Probe:
    """A check to run."""

    name: str
    run: Callable[[], Check]


def ok(name: str, found: str) -> Check:
    """Return a check that passed."""
    return Check(name, Status.OK, found)


def warning(name: str, found: str, next_step: str) -> Check:
    """Return a check of a limitation that Duet works with."""
    return Check(name, Status.WARNING, found, next_step)


def failed(name: str, found: str, next_step: str) -> Check:
    """Return a check of a problem that stops Duet from working."""
    return Check(name, Status.FAILED, found, next_step)


def examine(probes: Iterable[Probe]) -> Iterator[Check]:
    """Yield each check as soon as it is done; a `DuetError` becomes a failed check."""
    for probe in probes:
        try:
            yield probe.run()
        except DuetError as error:
            # An error's sentence has the problem first and the next step after its last semicolon.
            found, _, step = str(error).rpartition("; ")
            yield failed(probe.name, found or str(error), step if found else "")
