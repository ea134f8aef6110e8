"""Webhook delivery in threads of the cpu workers' parent process.

The parent process only dispatches tasks. A slow receiver therefore does not block the processes that run merges and
beat tasks, and deployments need no extra container.
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
"""Number of concurrent deliveries, each to another host."""
LOOK_S = 2.0
"""Seconds between polls of the queue; polling covers notifications lost with a connection."""


class WebhookSender(threading.Thread):
    """Delivers from the queue until stopped; other workers repeat the deliveries that were unfinished then."""

    def __init__(self, client: "redis.Redis | None" = None) -> None:
        super().__init__(name="courier", daemon=True)
        self._redis: Any = client or connect()
        self._queue = WebhookQueue(self._redis)
        self._job_store = JobStore(self._redis)
        self._free = threading.BoundedSemaphore(AT_ONCE)
        self._stopping = threading.Event()

    def run(self) -> None:
        """Deliver queued webhooks until stopped, across broker outages."""
        while not self._stopping.is_set():
            try:
                with self._redis.pubsub(ignore_subscribe_messages=True) as bell:
                    bell.subscribe(BELL)
                    self._deliver(bell)
            except (BrokerError, redis.RedisError) as error:
                logger.warning("The broker does not answer (%s); webhooks wait for it.", error)
                self._stopping.wait(LOOK_S)

    def stop(self) -> None:
        """Stop starting deliveries; safe in a signal handler."""
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
                threading.Thread(target=self._deliver_turn, args=(turn,), name="webhook", daemon=True).start()
            else:
                bell.get_message(timeout=LOOK_S if turn is None else min(max(turn, 0.01), LOOK_S))

    def _deliver_turn(self, turn: Turn) -> None:
        try:
            self._attempt(turn)
        except (BrokerError, redis.RedisError) as error:
            logger.warning(
                "The broker does not answer (%s); the webhook %s is sent again later.", error, turn.delivery.id
            )
        finally:
            self._free.release()

    def _attempt(self, turn: Turn) -> None:
        if turn.is_too_old:
            self._give_up(turn, "it has waited for a day")
            return
        try:
            answer = post(turn.delivery)
        except (AddressError, SettingsError) as error:
            self._give_up(turn, str(error))
            return
        except Exception as error:
            logger.exception("Unexpected error while delivering the webhook %s.", turn.delivery.id)
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
        logger.error("Giving up on the webhook %s: %s", turn.delivery.id, why)


_senders: list[WebhookSender] = []


@worker_ready.connect  # type: ignore[untyped-decorator]
def begin(**_: Any) -> None:
    """Start the sender, in the parent process of a worker of the cpu pool."""
    if pool_reporter().pool == POOL and not _senders:
        _senders.append(WebhookSender())
        _senders[0].start()


@worker_shutting_down.connect  # type: ignore[untyped-decorator]
def end(**_: Any) -> None:
    """Stop the sender."""
    for sender in _senders:
        sender.stop()
