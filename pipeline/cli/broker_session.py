"""The broker of a command: the configured or running one, else an embedded one until the command ends."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from pipeline.cli.terminal import TICK_S, messages

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
        messages.print(_whose_workers(), style="dim", soft_wrap=True)
        yield None
        return
    with Stack("run") as stack:
        stack.cancel_interrupted()
        stack.start_pools()
        yield stack


def why_voxtral_is_off(stack: "Stack | None") -> str:
    """Return the reason why Voxtral is off, after waiting for a pool that was just started; empty if it may run."""
    from pipeline.client.dead_letters import why_voxtral_is_off
    from pipeline.state.pool_status import ready_pools

    while stack and "voxtral" not in ready_pools():
        stack.restart_ended()
        time.sleep(TICK_S)
    return why_voxtral_is_off()


def _whose_workers() -> str:
    """Return a sentence about the workers that are used instead of own ones, and about what they do not share."""
    from pipeline.settings import settings

    if settings().broker_url:
        return "Using the workers of DUET_BROKER_URL, with their own settings and credentials."
    return (
        "Using the running `duet up`, whose pools have the settings and the credentials of the shell that started it; "
        "`duet down` ends it."
    )


def _has_broker() -> bool:
    from pipeline.embedded.stack import url_of_duet_up
    from pipeline.settings import settings

    return bool(settings().broker_url or url_of_duet_up())
