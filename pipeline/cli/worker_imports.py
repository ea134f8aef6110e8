"""Imports from `workers`, whose packages a client's installation lacks."""

from collections.abc import Iterator
from contextlib import contextmanager

from pipeline.errors import StackError


@contextmanager
def worker_packages(command: str) -> Iterator[None]:
    """Report a missing package that a command needs in one sentence.

    Raises:
        StackError: a package is missing.
    """
    try:
        yield
    except ImportError as error:
        raise StackError(f"`duet {command}` needs the package {error.name}; install duet[worker].") from None
