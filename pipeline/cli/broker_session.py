"""The broker of a command: the configured or running one, else an embedded one until the command ends."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pipeline.embedded.stack import Stack


@contextmanager
def broker() -> Iterator[None]:
    """Provide a broker; if none is configured or running, start this user's embedded one without its pools."""
    from pipeline.embedded.stack import Stack

    if _has_broker():
        yield
        return
    with Stack("run"):
        yield


@contextmanager
def workers() -> "Iterator[Stack | None]":
    """Provide pools: those of the configured or running broker, else an embedded stack for this command."""
    from pipeline.embedded.stack import Stack

    if _has_broker():
        yield None
        return
    with Stack("run") as stack:
        stack.cancel_interrupted()
        stack.start_pools()
        yield stack


def _has_broker() -> bool:
    from pipeline.embedded.stack import url_of_duet_up
    from pipeline.settings import settings

    return bool(settings().broker_url or url_of_duet_up())
