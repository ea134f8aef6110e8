"""Beat's heartbeat: stored when beat starts and with each task that it sends."""

import socket
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import redis

KEPT_S = 60
"""Seconds, by the broker's time, after which a heartbeat expires: several times the interval between two tasks."""


def beat_now(client: "redis.Redis") -> None:
    """Record a heartbeat of this machine's beat."""
    for key in (_key(None), _key(socket.gethostname())):
        client.set(key, socket.gethostname(), ex=KEPT_S)


def last_beat(client: "redis.Redis", host: str | None) -> tuple[str, float] | None:
    """Return the machine of beat's last heartbeat and its age in seconds, or None if it has expired.

    Args:
        client: a client of the state Redis.
        host: the machine whose beat is meant; None means any machine.
    """
    with client.pipeline() as pipe:
        pipe.get(_key(host))
        pipe.pttl(_key(host))
        name, left_ms = pipe.execute()
    return (name, KEPT_S - left_ms / 1000) if name else None


def _key(host: str | None) -> str:
    return "duet:clock:mark" + (f":{host}" if host else "")
