"""Failure reasons of outcomes, each in one sentence."""

from celery.utils.log import get_task_logger

from pipeline.errors import DuetError

logger = get_task_logger(__name__)
PROCESS_LOST = "The process at work was ended before it was done"


def sentence_for(error: Exception, what: str) -> str:
    """Return one sentence for an error; one that is not a `DuetError` is also logged with its traceback.

    Args:
        error: the exception.
        what: the name of the failed work, for the log.
    """
    if isinstance(error, DuetError):
        return str(error)
    logger.error("%s failed", what, exc_info=error)
    return f"Unexpected {type(error).__name__}: {error}. The worker's log has the details."
