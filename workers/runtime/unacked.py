"""The messages that a worker has taken and not finished: kept apart from those of others, and given back.

Celery and kombu lose the broker badly: they forget what was taken, try to put it back while there is no
broker to take it, and end the worker when a task is done whose connection is gone (kombu 5.7).
"""

from typing import Any

from celery import bootsteps
from kombu.transport.redis import Channel, QoS

from pipeline.celery import app
from pipeline.messaging.requeue import requeue
from pipeline.state.redis import broker_url
from pipeline.state.worker_registry import Worker


class PerWorkerQoS(QoS):
    """kombu's list of taken messages, which lets those of a connection that is gone be."""

    restore_at_shutdown = False
    pool: Any = None
    """Celery's pool of processes, once there is one."""

    def can_consume(self) -> bool:
        """Whether a message may be taken: only by a worker that has a process for it.

        Celery takes the next one while its process still loads the model; a worker elsewhere may be free meanwhile.
        Questions to the worker itself (`ping`) come by a channel without a queue, and are answered at any time.
        """
        # What was asked for already may be on its way here, and would be in nobody's hands.
        is_free = bool(self.channel._in_poll) or not self.channel.active_queues or has_process(self.pool)
        return bool(super().can_consume()) and is_free

    def ack(self, delivery_tag: str) -> None:
        """Strike a message off; of a lost connection it is back in its queue, and its copy finds the work done."""
        if not self.channel.closed:
            super().ack(delivery_tag)

    def reject(self, delivery_tag: str, requeue: bool = False) -> None:
        """Put a message back, unless that has been done."""
        if not self.channel.closed:
            super().reject(delivery_tag, requeue)


def has_process(pool: Any) -> bool:
    """Whether a pool has a process that has started; one that keeps no account of it is taken to have."""
    started = getattr(getattr(pool, "_pool", None), "_all_inqueues", None)
    return started is None or bool(started)


def use_own_unacked_keys(worker: Worker, conf: Any) -> None:
    """Have this process keep what it takes under its own name, and give it back on every new connection."""

    class GiveBack(bootsteps.StartStopStep):  # type: ignore[misc]
        """A leg that is still at work holds its lease, so the copy of its message waits for its end."""

        requires = ("celery.worker.consumer.connection:Connection",)

        def start(self, consumer: Any) -> None:
            PerWorkerQoS.pool = consumer.pool
            requeue(broker_url(), worker)

    Channel.QoS = PerWorkerQoS
    conf.broker_transport_options = conf.broker_transport_options | worker.transport_options
    app.steps["consumer"].add(GiveBack)
