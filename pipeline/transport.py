"""kombu's Redis transport, which keeps from a worker what it cannot unpack.

Without this, one malformed message in a queue ends the worker's parent process, is put back, and ends the next.
"""

from typing import Any

from celery.app.amqp import AMQP
from celery.utils.log import get_logger
from kombu.connection import Connection
from kombu.transport import redis

from pipeline.celery import QUEUES
from pipeline.envelope import check_envelope
from pipeline.errors import MessageError

logger = get_logger(__name__)


class CheckedChannel(redis.Channel):
    """Takes items from the queues; one that is not JSON is dropped."""

    def _brpop_read(self, **options: Any) -> Any:
        self.connection.has_parsed = False
        try:
            return super()._brpop_read(**options)
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


class CheckedAMQP(AMQP):  # type: ignore[misc]
    """Celery's messaging over checked connections."""

    Connection = CheckedConnection


def _tell(reason: str) -> None:
    logger.error("A message was refused and dropped. %s", reason)
