"""The broker that a command works with: the one that is there, else one of its own for as long as it takes."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pipeline.embedded.stack import Stack


@contextmanager
def broker() -> Iterator[None]:
    """Provide a broker; without any, this user's embedded one is started without its pools."""
    from pipeline.embedded.stack import Stack

    if _is_there():
        yield
        return
    with Stack("run"):
        yield


@contextmanager
def workers() -> "Iterator[Stack | None]":
    """Provide pools: those of the broker that is configured or up, else a stack for this command."""
    from pipeline.embedded.stack import Stack

    if _is_there():
        yield None
        return
    with Stack("run") as stack:
        stack.cancel_interrupted()
        stack.start_pools()
        yield stack


def _is_there() -> bool:
    from pipeline.embedded.stack import url_of_duet_up
    from pipeline.settings import settings

    return bool(settings().broker_url or url_of_duet_up())
