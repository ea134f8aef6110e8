"""kombu's Redis transport and Celery's result backend, hardened against malformed messages and refused writes.

Without it, one malformed message crashes a worker's parent process, is requeued, and crashes the next worker.
"""

import time
from typing import Any

from celery.app.amqp import AMQP
from celery.backends.redis import RedisBackend
from celery.utils.log import get_logger
from kombu.connection import Connection
from kombu.transport import redis
from redis import Connection as PlainConnection

from pipeline.errors import MessageError
from pipeline.messaging.app import QUEUES
from pipeline.messaging.envelope import check_envelope
from pipeline.state.refusals import RefusedError, refusing

logger = get_logger(__name__)

REFUSED_S = 1.0
"""Seconds before a worker retries a broker that refuses writes, which it does without delay."""
WRITABLE = "duet:writable"


class CheckedChannel(redis.Channel):
    """A channel that drops items that are not JSON, and receives nothing while Redis refuses writes."""

    def _connparams(self, asynchronous: bool = False) -> dict[str, Any]:
        found: dict[str, Any] = super()._connparams(asynchronous=asynchronous)
        return found | {"connection_class": refusing(found["connection_class"])}

    def _brpop_start(self, timeout: float | None = None) -> None:
        if self.connection.is_refused:
            # A Redis with full memory still returns items, but refuses to record them as unacknowledged.
            self.client.set(WRITABLE, 1, ex=60)
            type(self.connection).is_refused = False
        super()._brpop_start(timeout)

    def _brpop_read(self, **options: Any) -> Any:
        self.connection.has_parsed = False
        try:
            return super()._brpop_read(**options)
        except RefusedError as error:
            type(self.connection).is_refused = True
            logger.warning("The broker rejects the request: %s. Trying again.", error)
            time.sleep(REFUSED_S)
            raise
        except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
            if self.connection.has_parsed:
                raise  # the item itself was well-formed
            _log_dropped(f"It is not JSON ({type(error).__name__}).")
            return True


class CheckedTransport(redis.Transport):
    """A transport that delivers messages to the worker and drops malformed ones."""

    Channel = CheckedChannel
    has_parsed = False
    """Whether the last received item was JSON."""
    is_refused = False
    """Whether the broker refused the last write. Set on the class, because each connection has its own transport."""

    def _deliver(self, message: Any, queue: str) -> None:
        self.has_parsed = True
        if queue in QUEUES:  # others carry remote control and events
            try:
                check_envelope(message)
            except MessageError as error:
                return _log_dropped(f"{error} It was meant for the queue {queue}.")
        super()._deliver(message, queue)
        return None


class CheckedConnection(Connection):
    """A broker connection that uses the checked transport."""

    def get_transport_cls(self) -> type[Any]:
        """Return the checked transport instead of kombu's Redis transport; other transports unchanged."""
        chosen: type[Any] = super().get_transport_cls()
        return CheckedTransport if chosen is redis.Transport else chosen


class CheckedBackend(RedisBackend):  # type: ignore[misc]
    """Celery's result backend, with refused writes treated like a broker outage.

    Clients follow jobs in the job store, so sending subscribes to no results; only a caller that waits for one does.
    A subscription stays open, and Celery would wait for a lost broker whenever Python collects a result as garbage.
    """

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self.connparams["connection_class"] = refusing(self.connparams.get("connection_class", PlainConnection))

    def on_task_call(self, producer: Any, task_id: str) -> None:
        """Do nothing instead of subscribing."""

    def add_pending_result(self, result: Any, weak: bool | None = None, start_drainer: bool = True) -> Any:
        """Subscribe to a result that a caller waits for; a group, which only counts its results, passes `weak`."""
        return super().add_pending_result(result, False, start_drainer) if weak is None else result

    def remove_pending_result(self, result: Any) -> Any:
        """Forget a result without asking the broker: the garbage collector calls this, in any thread."""
        self._remove_pending_result(result)
        return result


class CheckedAMQP(AMQP):  # type: ignore[misc]
    """Celery's messaging over checked connections."""

    Connection = CheckedConnection


def _log_dropped(reason: str) -> None:
    logger.error("A message was refused and dropped. %s", reason)
