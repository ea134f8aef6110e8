"""A worker's heartbeat: the worker registers when it starts, says that it is alive, and deregisters when it stops."""

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
from pipeline.state.webhook_signers import POOL, say_whether_signed
from pipeline.state.worker_registry import WORKER_VARIABLE, Worker, WorkerRegistry
from workers.runtime.spot_notice import grace_s
from workers.runtime.unacked import use_own_unacked_keys

logger = logging.getLogger(__name__)
BEATS_PER_LOOK = 3


class HeartbeatThread(threading.Thread):
    """Says that the worker is there until the process ends.

    A thread of its own, because Celery's loop stands still while it waits for a broker that is away.
    """

    def __init__(self, worker: Worker) -> None:
        super().__init__(name="heart", daemon=True)
        self.worker = worker
        self.stopping = False
        self._has_news = threading.Event()
        self._roster = WorkerRegistry(connect())

    def run(self) -> None:
        """Beat, a few times between two looks of the sweeper."""
        while True:
            self._has_news.wait(settings().sweep_interval_s / BEATS_PER_LOOK)
            self._has_news.clear()
            try:
                self.beat()
            except Exception:  # whatever it is, a worker that falls silent is given up with all that it is at
                logger.exception("The worker could not say that it is there; it tries again.")

    def beat(self) -> None:
        """Say once that the worker is there, and which of its processes are."""
        try:
            self._roster.heartbeat(self.worker, stopping=self.stopping)
            self._roster.release_dead(self.worker)
        except redis.RedisError as error:
            logger.warning("The broker does not answer (%s); it is asked again.", error)

    def stop(self) -> None:
        """Let the legs at work know that they are to hand over; safe in a signal handler."""
        self.stopping = True
        self._has_news.set()

    def leave(self) -> None:
        """Put back what is not done, and leave the worker registry."""
        try:
            self._roster.heartbeat(self.worker, stopping=True)
            requeue(broker_url(), self.worker)
            self._roster.deregister(self.worker)
        except (redis.RedisError, OperationalError) as error:
            logger.warning("The broker does not answer (%s); the sweeper will see that we are gone.", error)


_hearts: list[HeartbeatThread] = []


def release_dead_processes() -> None:
    """Let others take at once what a process of this worker was at that has just ended."""
    for heart in _hearts:
        heart.beat()


@celeryd_init.connect  # type: ignore[untyped-decorator]
def register(sender: str, conf: Any, **_: Any) -> None:
    """Register before the first message is taken, and requeue what died with workers of this machine."""
    worker = Worker.here(sender)
    os.environ[WORKER_VARIABLE] = worker.id
    if keeps_state(broker_url()):
        use_own_unacked_keys(worker, conf)
    heart = HeartbeatThread(worker)
    _hearts.append(heart)
    heart.beat()
    heart.start()
    _restore_lost()
    if worker.pool == POOL:
        _say_whether_signed(worker)


@worker_shutting_down.connect  # type: ignore[untyped-decorator]
def hand_over(how: str, **_: Any) -> None:
    """On SIGTERM, have the legs at work hand over; one that has not when the grace is over is put back as it is."""
    for heart in _hearts:
        heart.stop()
    if how == "Warm":
        last_call = threading.Timer(grace_s(), os.kill, (os.getpid(), signal.SIGQUIT))
        last_call.daemon = True
        last_call.start()


@worker_shutdown.connect  # type: ignore[untyped-decorator]
def deregister(**_: Any) -> None:
    """Put back what is not done, and leave the worker registry."""
    for heart in _hearts:
        heart.leave()


def _restore_lost() -> None:
    try:
        if restored := requeue_lost(broker_url(), WorkerRegistry(connect())):
            logger.warning("%d messages of lost workers are back in their queues.", restored)
    except (BrokerError, redis.RedisError, OperationalError) as error:
        logger.warning("The broker does not answer (%s); the sweeper will look for lost messages.", error)


def _say_whether_signed(worker: Worker) -> None:
    try:
        say_whether_signed(worker.id)
    except BrokerError as error:
        logger.warning("%s Nobody is told whether webhooks are signed here.", error)
