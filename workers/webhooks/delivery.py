"""Tells addresses what has happened, in threads of the cpu workers' parent process.

That process only hands out tasks. So an address that takes its time keeps none of the processes that merge and do
what the clock says, and no deployment needs one more container for it.
"""

import logging
import threading
from typing import Any

import redis
from celery.signals import worker_ready, worker_shutting_down

from pipeline.errors import AddressError, BrokerError, SettingsError
from pipeline.settings import settings
from pipeline.state import metric_events
from pipeline.state.job_store import JobStore
from pipeline.state.redis import connect
from pipeline.state.webhook_queue import BELL, Turn, WebhookQueue
from workers.pool_reporter import pool_reporter
from workers.webhooks.exchange import WebhookResponse, post

logger = logging.getLogger(__name__)
POOL = "cpu"
AT_ONCE = 8
"""Addresses that are told at the same time, each of another host."""
LOOK_S = 2.0
"""How often is looked whether there is something to tell, as a bell can be lost with its connection."""


class WebhookSender(threading.Thread):
    """Takes turns from the queue until it is told to stop; what it is telling then, others tell again."""

    def __init__(self, client: "redis.Redis | None" = None) -> None:
        super().__init__(name="courier", daemon=True)
        self._redis: Any = client or connect()
        self._queue = WebhookQueue(self._redis)
        self._job_store = JobStore(self._redis)
        self._free = threading.BoundedSemaphore(AT_ONCE)
        self._stopping = threading.Event()

    def run(self) -> None:
        """Tell whatever there is to tell."""
        while not self._stopping.is_set():
            try:
                with self._redis.pubsub(ignore_subscribe_messages=True) as bell:
                    bell.subscribe(BELL)
                    self._deliver(bell)
            except (BrokerError, redis.RedisError) as error:
                logger.warning("The broker does not answer (%s); webhooks wait for it.", error)
                self._stopping.wait(LOOK_S)

    def stop(self) -> None:
        """Take nothing more; safe in a signal handler."""
        self._stopping.set()

    def _deliver(self, bell: Any) -> None:
        while not self._stopping.is_set():
            if not self._free.acquire(timeout=LOOK_S):
                continue
            turn = None
            try:
                turn = self._queue.take()
            finally:
                if not isinstance(turn, Turn):
                    self._free.release()
            if isinstance(turn, Turn):
                threading.Thread(target=self._take_turn, args=(turn,), name="webhook", daemon=True).start()
            else:
                bell.get_message(timeout=LOOK_S if turn is None else min(max(turn, 0.01), LOOK_S))

    def _take_turn(self, turn: Turn) -> None:
        try:
            self._tell(turn)
        except (BrokerError, redis.RedisError) as error:
            logger.warning("The broker does not answer (%s); %s is told again.", error, turn.delivery.id)
        finally:
            self._free.release()

    def _tell(self, turn: Turn) -> None:
        if turn.is_too_old:
            self._give_up(turn, "it has waited for a day")
            return
        try:
            answer = post(turn.delivery)
        except (AddressError, SettingsError) as error:
            self._give_up(turn, str(error))
            return
        except Exception as error:
            logger.exception("The webhook %s met something unforeseen.", turn.delivery.id)
            answer = WebhookResponse(f"no answer ({type(error).__name__})", is_silent=True)
        tries = turn.delivery.tries + 1
        if not answer.trouble:
            self._queue.end(turn)
            self._job_store.count(metric_events.webhook("delivered"))
        elif answer.is_final or tries >= settings().webhook_tries:
            self._give_up(turn, f"{answer.trouble}, after {tries} tries", is_silent=answer.is_silent)
        else:
            delay_s = self._queue.postpone(turn, is_silent=answer.is_silent)
            self._job_store.count(metric_events.webhook("retried"))
            logger.warning("The webhook %s: %s. Trying again in %.0f s.", turn.delivery.id, answer.trouble, delay_s)

    def _give_up(self, turn: Turn, why: str, *, is_silent: bool = False) -> None:
        self._queue.end(turn, is_silent=is_silent)
        self._job_store.count(metric_events.webhook("failed"))
        logger.error("The webhook %s is given up: %s", turn.delivery.id, why)


_couriers: list[WebhookSender] = []


@worker_ready.connect  # type: ignore[untyped-decorator]
def begin(**_: Any) -> None:
    """Begin to tell, in the parent process of a worker of the cpu pool."""
    if pool_reporter().pool == POOL and not _couriers:
        _couriers.append(WebhookSender())
        _couriers[0].start()


@worker_shutting_down.connect  # type: ignore[untyped-decorator]
def end(**_: Any) -> None:
    """Take nothing more."""
    for courier in _couriers:
        courier.stop()
