"""The Celery application of this process, loaded by `celery -A pipeline`."""

from typing import Any

from celery import Celery
from celery.signals import setup_logging

from pipeline import logs
from pipeline.errors import BrokerError
from pipeline.messaging.app import make_app
from pipeline.state.redis import broker_url, keeps_state, state_url


@setup_logging.connect  # type: ignore[untyped-decorator]
def set_up_logs(loglevel: int, **_: Any) -> None:
    """Configure logging of workers and beat as in all other processes of Duet."""
    logs.set_up(loglevel)


def _own_app() -> Celery:
    try:
        url = broker_url()
        return make_app(url, None if keeps_state(url) else state_url())
    except BrokerError:
        return make_app(None)  # `duet --help` must work without a broker; a submission raises the error


app = _own_app()
app.set_current()
