"""What a command asks the worker's side, by name: a client's installation has neither torch nor a device."""

from importlib import import_module
from typing import Any

from pipeline.errors import StackError


def worker_side(module: str, command: str) -> Any:
    """Return a module of `workers`, found by its name as the canvas finds its tasks.

    Raises:
        StackError: a package is missing that it needs.
    """
    try:
        return import_module(module)
    except ImportError as error:
        raise StackError(f"`duet {command}` needs the package {error.name}; install duet[worker].") from None
