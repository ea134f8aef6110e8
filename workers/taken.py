"""The messages that a worker has taken and not finished: kept apart from those of others, and given back.

Celery and kombu lose the broker badly: they forget what was taken, try to put it back while there is no
broker to take it, and end the worker when a task is done whose connection is gone (kombu 5.7).
"""

from typing import Any

from celery import bootsteps
from kombu.transport.redis import Channel, QoS

from pipeline.broker import broker_url
from pipeline.celery import app
from pipeline.roster import Worker, restore


class OwnTaken(QoS):
    """kombu's list of taken messages, which lets those of a connection that is gone be."""

    restore_at_shutdown = False

    def ack(self, delivery_tag: str) -> None:
        """Strike a message off; of a lost connection it is back in its queue, and its copy finds the work done."""
        if not self.channel.closed:
            super().ack(delivery_tag)

    def reject(self, delivery_tag: str, requeue: bool = False) -> None:
        """Put a message back, unless that has been done."""
        if not self.channel.closed:
            super().reject(delivery_tag, requeue)


def keep_apart(worker: Worker, conf: Any) -> None:
    """Have this process keep what it takes under its own name, and give it back on every new connection."""

    class GiveBack(bootsteps.StartStopStep):  # type: ignore[misc]
        """A leg that is still at work holds its lease, so the copy of its message waits for its end."""

        requires = ("celery.worker.consumer.connection:Connection",)

        def start(self, consumer: Any) -> None:
            restore(broker_url(), worker)

    Channel.QoS = OwnTaken
    conf.broker_transport_options = conf.broker_transport_options | worker.transport_options
    app.steps["consumer"].add(GiveBack)
