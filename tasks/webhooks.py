"""Migration of webhooks that an older version of Duet left on the cpu queue."""

from celery.utils.log import get_task_logger
from pydantic import ValidationError

from pipeline.celery import app
from pipeline.state.job_store import JobStore
from pipeline.state.webhook_queue import Delivery, WebhookQueue
from pipeline.types.validation import describe_validation_error

logger = get_task_logger(__name__)


@app.task(name="tasks.deliver", ignore_result=True, typing=False)  # type: ignore[untyped-decorator]
def deliver(message: object) -> None:
    """Move a webhook that an older version of Duet sent to the cpu queue into the webhook queue."""
    try:
        delivery = Delivery.model_validate(message)
    except ValidationError as error:
        logger.error("A webhook was refused: %s", describe_validation_error(error))
        return
    WebhookQueue(JobStore().redis).add(delivery)
