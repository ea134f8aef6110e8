"""Checks and their execution."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from enum import StrEnum

from pipeline.errors import DuetError


class Status(StrEnum):
    """The result of a check."""

    OK = "ok"
    WARNING = "warning"
    """Duet works, and not as well as it could."""
    FAILED = "failed"


@dataclass(frozen=True)
class Check:
    """One line of the doctor."""

    name: str
    status: Status
    found: str
    next_step: str = ""


@dataclass(frozen=True)
class Probe:
    """A check that can be run."""

    name: str
    look: Callable[[], Check]


def ok(name: str, found: str) -> Check:
    """Return a check that has nothing to complain of."""
    return Check(name, Status.OK, found)


def warning(name: str, found: str, next_step: str) -> Check:
    """Return a check of something that could be better."""
    return Check(name, Status.WARNING, found, next_step)


def failed(name: str, found: str, next_step: str) -> Check:
    """Return a check of something without which Duet does not work."""
    return Check(name, Status.FAILED, found, next_step)


def examine(probes: Iterable[Probe]) -> Iterator[Check]:
    """Yield each check as soon as it is done; an error of Duet's is a failed check, and the next one is run."""
    for probe in probes:
        try:
            yield probe.look()
        except DuetError as error:
            # An error's sentence says what, where and what to do, the latter behind its last semicolon.
            found, _, step = str(error).rpartition("; ")
            yield failed(probe.name, found or str(error), step if found else "")
