"""Beat's heartbeat: stored when beat starts and with each task that it sends."""

import socket
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import redis

KEPT_S = 60
"""How long a mark lasts, by the broker's own time: several times what passes between two things that are sent."""


def beat_now(client: "redis.Redis") -> None:
    """Note that this machine's clock goes."""
    for key in (_key(None), _key(socket.gethostname())):
        client.set(key, socket.gethostname(), ex=KEPT_S)


def last_beat(client: "redis.Redis", host: str | None) -> tuple[str, float] | None:
    """Return on which machine the clock left its newest mark and how many seconds ago; None where all are gone.

    Args:
        client: of what keeps the state.
        host: whose clock is asked for; None: anyone's.
    """
    with client.pipeline() as pipe:
        pipe.get(_key(host))
        pipe.pttl(_key(host))
        name, left_ms = pipe.execute()
    return (name, KEPT_S - left_ms / 1000) if name else None


def _key(host: str | None) -> str:
    return "duet:clock:mark" + (f":{host}" if host else "")
