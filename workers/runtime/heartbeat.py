"""The heartbeat of a worker, with its registration at the start and its deregistration at the end."""

import logging
import os
import signal
import threading
from typing import Any

import redis
from celery.signals import celeryd_init, worker_shutdown, worker_shutting_down
from kombu.exceptions import OperationalError

from pipeline.errors import BrokerError
from pipeline.messaging.requeue import requeue, requeue_lost
from pipeline.settings import settings
from pipeline.state.redis import broker_url, connect, keeps_state
from pipeline.state.webhook_signers import POOL, publish_signing_state
from pipeline.state.worker_registry import WORKER_VARIABLE, Worker, WorkerRegistry
from workers.runtime.spot_notice import grace_s
from workers.runtime.unacked import use_own_unacked_keys

logger = logging.getLogger(__name__)
BEATS_PER_LOOK = 3


class HeartbeatThread(threading.Thread):
    """Sends the worker's heartbeat until the process ends.

    A separate thread, because the event loop of Celery blocks during a broker outage.
    """

    def __init__(self, worker: Worker) -> None:
        super().__init__(name="heart", daemon=True)
        self.worker = worker
        self.stopping = False
        self._wake = threading.Event()
        self._registry = WorkerRegistry(connect())

    def run(self) -> None:
        """Send heartbeats, `BEATS_PER_LOOK` of them in each interval of the sweeper."""
        while True:
            self._wake.wait(settings().sweep_interval_s / BEATS_PER_LOOK)
            self._wake.clear()
            try:
                self.beat()
            except Exception:  # without heartbeats the worker is declared lost and its tasks are requeued
                logger.exception("The worker could not send its heartbeat; trying again.")

    def beat(self) -> None:
        """Send one heartbeat, and release the leases of processes that have ended."""
        try:
            self._registry.heartbeat(self.worker, stopping=self.stopping)
            self._registry.release_dead(self.worker)
        except redis.RedisError as error:
            logger.warning("The broker does not answer (%s); trying again.", error)

    def stop(self) -> None:
        """Announce that running legs must hand over; safe in a signal handler."""
        self.stopping = True
        self._wake.set()

    def leave(self) -> None:
        """Requeue unacknowledged messages, and deregister the worker."""
        try:
            self._registry.heartbeat(self.worker, stopping=True)
            requeue(broker_url(), self.worker)
            self._registry.deregister(self.worker)
        except (redis.RedisError, OperationalError) as error:
            logger.warning("The broker does not answer (%s); the sweeper will notice that the worker stopped.", error)


_hearts: list[HeartbeatThread] = []


def release_dead_processes() -> None:
    """Release the leases of this worker's ended processes, so that other workers can resume their tasks at once."""
    for heart in _hearts:
        heart.beat()


@celeryd_init.connect  # type: ignore[untyped-decorator]
def register(sender: str, conf: Any, **_: Any) -> None:
    """Register before the first message is received, and requeue the messages of lost workers."""
    worker = Worker.here(sender)
    os.environ[WORKER_VARIABLE] = worker.id
    if keeps_state(broker_url()):
        use_own_unacked_keys(worker, conf)
    heart = HeartbeatThread(worker)
    _hearts.append(heart)
    heart.beat()
    heart.start()
    _requeue_lost_messages()
    if worker.pool == POOL:
        _publish_signing(worker)


@worker_shutting_down.connect  # type: ignore[untyped-decorator]
def hand_over(how: str, **_: Any) -> None:
    """On SIGTERM, make running legs hand over; after the grace period unfinished legs are requeued as they are."""
    for heart in _hearts:
        heart.stop()
    if how == "Warm":
        last_call = threading.Timer(grace_s(), os.kill, (os.getpid(), signal.SIGQUIT))
        last_call.daemon = True
        last_call.start()


@worker_shutdown.connect  # type: ignore[untyped-decorator]
def deregister(**_: Any) -> None:
    """Requeue unacknowledged messages, and deregister the worker."""
    for heart in _hearts:
        heart.leave()


def _requeue_lost_messages() -> None:
    try:
        if restored := requeue_lost(broker_url(), WorkerRegistry(connect())):
            logger.warning("%d messages of lost workers are back in their queues.", restored)
    except (BrokerError, redis.RedisError, OperationalError) as error:
        logger.warning("The broker does not answer (%s); the sweeper will look for lost messages.", error)


def _publish_signing(worker: Worker) -> None:
    try:
        publish_signing_state(worker.id)
    except BrokerError as error:
        logger.warning("%s Whether this worker can sign webhooks is not published.", error)
