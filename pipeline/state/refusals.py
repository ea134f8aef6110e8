"""Redis answers that mean "not now": to all who use it they are the same as a broker that is away.

A replica after a failover refuses to write (READONLY), a full memory takes nothing new (OOM), a full disk stops it
all (MISCONF). Workers wait for the end of that as they do for a broker that does not answer, on a new connection,
which leads to the new primary; clients say it in a sentence.
"""

from typing import Any

import redis
from redis import exceptions


class RefusedError(redis.ConnectionError):
    """The broker is there and does not do what it is asked now; the message says why and what to do."""


def refusal(error: exceptions.ResponseError) -> RefusedError | None:
    """Return the refusal in an answer that is about the server and not about the command."""
    text = str(error)
    if isinstance(error, exceptions.OutOfMemoryError):
        return RefusedError("its memory is full (OOM); raise its maxmemory, or remove what is not needed any more")
    if isinstance(error, exceptions.ReadOnlyError) or text.startswith("UNBLOCKED"):
        return RefusedError(
            "it is a replica and takes nothing (READONLY); name the primary, or try again after a while"
        )
    if isinstance(error, exceptions.MasterDownError):
        return RefusedError("it is a replica that has lost its primary (MASTERDOWN); name the primary, or try again")
    if isinstance(error, (exceptions.MovedError, exceptions.ClusterCrossSlotError, exceptions.ClusterDownError)):
        return RefusedError("it is part of a Redis Cluster, which Duet cannot use; name a server that has every key")
    if text.startswith(("MISCONF", "NOREPLICAS")):
        return RefusedError(f"it cannot keep what it is told ({text.partition(' ')[0]}); look at its log and its disk")
    return None


class _Refusing:
    """A connection of redis-py that raises such an answer as what it is."""

    def read_response(self, *args: Any, **options: Any) -> Any:
        """Return the answer."""
        try:
            return super().read_response(*args, **options)  # type: ignore[misc]
        except exceptions.ResponseError as error:
            raise refusal(error) or error from None


class _RefusingLater:
    """The same for asyncio."""

    async def read_response(self, *args: Any, **options: Any) -> Any:
        """Return the answer."""
        try:
            return await super().read_response(*args, **options)  # type: ignore[misc]
        except exceptions.ResponseError as error:
            raise refusal(error) or error from None


def refusing(connection: type[Any]) -> type[Any]:
    """Return a class of connections that knows such answers."""
    if issubclass(connection, _Refusing):
        return connection
    return type(connection.__name__, (_Refusing, connection), {})


def refusing_later(connection: type[Any]) -> type[Any]:
    """Return a class of connections for asyncio that knows such answers."""
    return type(connection.__name__, (_RefusingLater, connection), {})
