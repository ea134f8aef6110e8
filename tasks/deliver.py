"""Having whoever waits for it be told of a job; `workers/webhooks/delivery.py` does the telling."""

import redis
from celery.utils.log import get_task_logger
from pydantic import ValidationError

from pipeline.celery import app
from pipeline.errors import BrokerError
from pipeline.state.job_store import Ledger
from pipeline.state.webhook_outbox import send_due
from pipeline.state.webhook_queue import Delivery, WebhookQueue
from pipeline.types.validation import misfits

logger = get_task_logger(__name__)


@app.task(name="tasks.deliver", ignore_result=True, typing=False)  # type: ignore[untyped-decorator]
def deliver(message: object) -> None:
    """Take what an older version of Duet has left on the cpu queue."""
    try:
        delivery = Delivery.model_validate(message)
    except ValidationError as error:
        logger.error("A webhook was refused: %s", misfits(error))
        return
    WebhookQueue(Ledger().redis).add(delivery)


def tell_at_once(ledger: Ledger) -> None:
    """Have whoever waits for it be told; where the broker is away, the clock does so later."""
    try:
        send_due(ledger)
    except (BrokerError, redis.RedisError) as error:
        logger.warning("%s Webhooks are sent later.", error)
