"""The unacknowledged messages of a worker, stored under keys of its own and requeued on reconnection.

On a broker outage, Celery and kombu 5.7 forget reserved messages, try to requeue them while the broker is unreachable,
and end the worker when a task finishes whose connection is lost.
"""

from typing import Any

from celery import bootsteps
from kombu.transport.redis import Channel, QoS

from pipeline.celery import app
from pipeline.messaging.requeue import requeue
from pipeline.state.redis import broker_url
from pipeline.state.worker_registry import Worker


class PerWorkerQoS(QoS):
    """kombu's set of unacknowledged messages, without requeue or acknowledgement on a lost connection."""

    restore_at_shutdown = False
    pool: Any = None
    """The process pool of Celery; None before it starts."""

    def can_consume(self) -> bool:
        """Return whether a message may be reserved, which requires a started process.

        Otherwise Celery reserves a message while its process still loads the model, and an idle worker elsewhere cannot
        receive it. Remote control commands (`ping`) use a channel without a queue and are always received.
        """
        # A pending poll may already have popped a message, which would be lost without a consumer.
        is_free = bool(self.channel._in_poll) or not self.channel.active_queues or has_process(self.pool)
        return bool(super().can_consume()) and is_free

    def ack(self, delivery_tag: str) -> None:
        """Acknowledge a message, unless its connection is lost: it has been requeued, and its copy is a no-op."""
        if not self.channel.closed:
            super().ack(delivery_tag)

    def reject(self, delivery_tag: str, requeue: bool = False) -> None:
        """Reject a message; does nothing if its connection is lost, as it has been requeued."""
        if not self.channel.closed:
            super().reject(delivery_tag, requeue)


def has_process(pool: Any) -> bool:
    """Return whether a pool has a started process; True for a pool without such records."""
    started = getattr(getattr(pool, "_pool", None), "_all_inqueues", None)
    return started is None or bool(started)


def use_own_unacked_keys(worker: Worker, conf: Any) -> None:
    """Store unacknowledged messages under this worker's own keys, and requeue them on every new connection."""

    class RequeueUnacked(bootsteps.StartStopStep):  # type: ignore[misc]
        """Requeues unacknowledged messages. A running leg still has its lease, so the copy of its message waits."""

        requires = ("celery.worker.consumer.connection:Connection",)

        def start(self, consumer: Any) -> None:
            PerWorkerQoS.pool = consumer.pool
            requeue(broker_url(), worker)

    Channel.QoS = PerWorkerQoS
    conf.broker_transport_options = conf.broker_transport_options | worker.transport_options
    app.steps["consumer"].add(RequeueUnacked)
