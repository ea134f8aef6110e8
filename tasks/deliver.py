"""Telling one address of one event, until it says that it has understood, or often enough."""

import time

import redis
import urllib3
from celery import Task
from celery.utils.log import get_task_logger
from kombu.exceptions import OperationalError
from pydantic import ValidationError
from urllib3.exceptions import HTTPError

from pipeline.addresses import PublicPoolManager
from pipeline.celery import app
from pipeline.envelope import misfits
from pipeline.errors import AddressError, BrokerError, SettingsError, TransientError
from pipeline.ledger import Ledger
from pipeline.metrics import events
from pipeline.settings import settings
from pipeline.webhooks.outbox import TASK, Delivery, send_due
from pipeline.webhooks.signature import headers, secret

logger = get_task_logger(__name__)
TIMEOUT_S = 20.0
GROWTH = 4
MOST_WAIT_S = 3600.0
"""Far below the visibility timeout: the worker keeps the message while it waits."""
GONE = 410


@app.task(bind=True, name=TASK, ignore_result=True, typing=False, max_retries=None)  # type: ignore[untyped-decorator]
def deliver(self: Task, message: object) -> None:
    """Send a signed message to its address; a redirect is no answer, for it could lead anywhere."""
    try:
        delivery = Delivery.model_validate(message)
    except ValidationError as error:
        logger.error("A webhook was refused: %s", misfits(error))
        return
    try:
        trouble = _trouble(delivery)
    except (AddressError, SettingsError) as error:
        _give_up(delivery, str(error))
        return
    if not trouble:
        Ledger().count(events.webhook("delivered"))
    elif trouble.startswith(str(GONE)) or self.request.retries + 1 >= settings().webhook_tries:
        _give_up(delivery, f"{trouble}, after {self.request.retries + 1} tries")
    else:
        delay_s = min(settings().webhook_backoff_s * GROWTH**self.request.retries, MOST_WAIT_S)
        logger.warning("The webhook %s: %s. Trying again in %.0f s.", delivery.id, trouble, delay_s)
        Ledger().count(events.webhook("retried"))
        raise self.retry(countdown=delay_s, argsrepr=delivery.id)


def tell_at_once(ledger: Ledger) -> None:
    """Have whoever waits for it be told; where the broker is away, the clock does so later."""
    try:
        send_due(ledger)
    except (BrokerError, OperationalError, redis.RedisError) as error:
        logger.warning("%s Webhooks are sent later.", error)


def _trouble(delivery: Delivery) -> str:
    """Tell the address, and return what was wrong with its answer; empty where it has understood.

    Raises:
        AddressError: it is not one that Duet may connect to.
        SettingsError: there is no secret to sign with.
    """
    own = headers(secret(), delivery.id, int(time.time()), delivery.body)
    try:
        with PublicPoolManager(retries=False, timeout=urllib3.Timeout(TIMEOUT_S)) as pool:
            answer = pool.request(
                "POST",
                delivery.url,
                body=delivery.body.encode(),
                headers=own | {"content-type": "application/json", "user-agent": "Duet"},
                redirect=False,
                preload_content=False,
            )
            answer.release_conn()
    except (HTTPError, TransientError) as error:
        return f"no answer ({type(error).__name__})"
    return "" if 200 <= answer.status < 300 else f"{answer.status} is its answer"


def _give_up(delivery: Delivery, why: str) -> None:
    logger.error("The webhook %s is given up: %s", delivery.id, why)
    Ledger().count(events.webhook("failed"))
