"""kombu's Redis transport, which keeps from a worker what it cannot unpack.

Without this, one malformed message in a queue ends the worker's parent process, is put back, and ends the next.
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
"""How long a worker waits before it asks a broker again that refuses: it is told so at once each time."""
WRITABLE = "duet:writable"


class CheckedChannel(redis.Channel):
    """Receives items from the queues; drops those that are not JSON, and receives none while Redis refuses writes."""

    def _connparams(self, asynchronous: bool = False) -> dict[str, Any]:
        found: dict[str, Any] = super()._connparams(asynchronous=asynchronous)
        return found | {"connection_class": refusing(found["connection_class"])}

    def _brpop_start(self, timeout: float | None = None) -> None:
        if self.connection.is_refused:
            # A full memory still gives items out, and refuses to note who has taken them.
            self.client.set(WRITABLE, 1, ex=60)
            type(self.connection).is_refused = False
        super()._brpop_start(timeout)

    def _brpop_read(self, **options: Any) -> Any:
        self.connection.has_parsed = False
        try:
            return super()._brpop_read(**options)
        except RefusedError as error:
            type(self.connection).is_refused = True
            logger.warning("The broker refuses: %s. It is asked again.", error)
            time.sleep(REFUSED_S)
            raise
        except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
            if self.connection.has_parsed:
                raise  # it is not about the item's form
            _tell(f"It is not JSON ({type(error).__name__}).")
            return True


class CheckedTransport(redis.Transport):
    """Hands messages to the worker; one that it could not unpack is dropped."""

    Channel = CheckedChannel
    has_parsed = False
    """Whether the item that was taken last was JSON."""
    is_refused = False
    """Whether the broker refused lately; the process', as each connection has a transport of its own."""

    def _deliver(self, message: Any, queue: str) -> None:
        self.has_parsed = True
        if queue in QUEUES:  # others carry remote control and events
            try:
                check_envelope(message)
            except MessageError as error:
                return _tell(f"{error} It was meant for the queue {queue}.")
        super()._deliver(message, queue)
        return None


class CheckedConnection(Connection):
    """A connection to the broker by the checked transport."""

    def get_transport_cls(self) -> type[Any]:
        """Return the checked transport in place of kombu's own; others as they are."""
        chosen: type[Any] = super().get_transport_cls()
        return CheckedTransport if chosen is redis.Transport else chosen


class CheckedBackend(RedisBackend):  # type: ignore[misc]
    """Celery's results; a Redis that refuses is waited for as one that does not answer.

    Clients follow jobs in the job store. So no process subscribes to results: a subscription would stay open, and
    Celery would wait for a broker that is gone whenever Python collects a result, in whatever thread that happens.
    """

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self.connparams["connection_class"] = refusing(self.connparams.get("connection_class", PlainConnection))

    def on_task_call(self, producer: Any, task_id: str) -> None:
        """Subscribe to nothing."""

    def add_pending_result(self, result: Any, weak: bool = False, start_drainer: bool = True) -> Any:
        """Return the result as it is."""
        return result

    def remove_pending_result(self, result: Any) -> Any:
        """Return the result as it is."""
        return result


class CheckedAMQP(AMQP):  # type: ignore[misc]
    """Celery's messaging over checked connections."""

    Connection = CheckedConnection


def _tell(reason: str) -> None:
    logger.error("A message was refused and dropped. %s", reason)
