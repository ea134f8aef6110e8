"""Redis error replies about the server instead of the command, raised as connection errors.

After a failover a replica rejects writes (READONLY); with full memory Redis rejects new data (OOM), and with a full
disk all writes (MISCONF). Workers then wait as in a broker outage and reconnect, which leads to the new primary.
Clients report it in one sentence.
"""

from typing import Any

import redis
from redis import exceptions

OF_A_CLUSTER = (
    exceptions.AskError,
    exceptions.ClusterCrossSlotError,
    exceptions.ClusterDownError,
    exceptions.MovedError,
    exceptions.TryAgainError,
)


class RefusedError(redis.ConnectionError):
    """The broker responds but rejects commands for now; the message has the reason and the remedy."""


def refusal(error: exceptions.ResponseError) -> RefusedError | None:
    """Return the error for a reply that is about the server; None for one that is about the command."""
    text = str(error)
    if isinstance(error, exceptions.OutOfMemoryError):
        return RefusedError("its memory is full (OOM); raise its maxmemory, or remove what is not needed any more")
    if isinstance(error, exceptions.ReadOnlyError) or text.startswith("UNBLOCKED"):
        return RefusedError(
            "it is a replica and takes nothing (READONLY); name the primary, or try again after a while"
        )
    if isinstance(error, exceptions.MasterDownError):
        return RefusedError("it is a replica that has lost its primary (MASTERDOWN); name the primary, or try again")
    if isinstance(error, OF_A_CLUSTER):
        return RefusedError("it is part of a Redis Cluster, which Duet cannot use; name a server that has every key")
    if isinstance(error, exceptions.NoPermissionError):
        return RefusedError(f"its user may not do all that Duet needs ({text}); give it the right to all commands")
    if text.startswith("DENIED"):
        return RefusedError("it is in protected mode (DENIED); give it a password, or run it on this machine")
    if text.startswith(("BUSY Redis", "BUSY Valkey", "UNKILLABLE")):
        return RefusedError("a script on it does not end (BUSY); end it with SCRIPT KILL, or try again")
    if "DB index is out of range" in text:
        return RefusedError("it has no database of this number; end the address in /0")
    if text.startswith(("MISCONF", "NOREPLICAS")):
        return RefusedError(f"it cannot keep what it is told ({text.partition(' ')[0]}); look at its log and its disk")
    return None


def complaint(error: BaseException) -> str | None:
    """Return the objection of a server to a connection; None if it does not respond."""
    if isinstance(error, RefusedError):
        return str(error)
    if isinstance(error, exceptions.AuthenticationError):
        return f"it does not accept the user or the password ({str(error).rstrip('.')}); check those in its address"
    if isinstance(error, exceptions.BusyLoadingError):
        return "it is still reading its data (LOADING); try again in a moment"
    if "max number of clients" in str(error):
        return "it has as many connections as it takes; raise its maxclients"
    return None


class _Refusing:
    """A mixin of redis-py's connections that raises such replies as `RefusedError`."""

    def read_response(self, *args: Any, **options: Any) -> Any:
        """Return the server's reply."""
        try:
            return super().read_response(*args, **options)  # type: ignore[misc]
        except exceptions.ResponseError as error:
            raise refusal(error) or error from None


class _RefusingLater:
    """A mixin of redis-py's asyncio connections that raises such replies as `RefusedError`."""

    async def read_response(self, *args: Any, **options: Any) -> Any:
        """Return the server's reply."""
        try:
            return await super().read_response(*args, **options)  # type: ignore[misc]
        except exceptions.ResponseError as error:
            raise refusal(error) or error from None


def refusing(connection: type[Any]) -> type[Any]:
    """Return a subclass of a connection class that raises such replies as `RefusedError`."""
    if issubclass(connection, _Refusing):
        return connection
    return type(connection.__name__, (_Refusing, connection), {})


def refusing_later(connection: type[Any]) -> type[Any]:
    """Return a subclass of an asyncio connection class that raises such replies as `RefusedError`."""
    return type(connection.__name__, (_RefusingLater, connection), {})
