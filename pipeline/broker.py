"""Which Redis or Valkey carries the queues, and how to reach it."""

from collections.abc import Iterator
from contextlib import contextmanager

import redis
from redis.backoff import ExponentialBackoff, NoBackoff
from redis.retry import Retry

from pipeline.errors import BrokerError
from pipeline.settings import settings

EMBEDDED_URL_FILE = "broker.url"
"""In the state folder while an embedded stack runs: how to reach its Valkey."""


def broker_url() -> str:
    """Return the broker's URL in kombu's form.

    Raises:
        BrokerError: none is configured and no embedded one runs.
    """
    if configured := settings().broker_url:
        return configured
    embedded = settings().state_dir / EMBEDDED_URL_FILE
    if embedded.is_file():
        return embedded.read_text().strip()
    raise BrokerError("There is no broker: set DUET_BROKER_URL=redis://host:6379/0, or start one with `duet up`.")


def connect(url: str | None = None, *, patient: bool = False) -> "redis.Redis":
    """Return a client of the broker, for job states; it connects when it is used.

    A person who submits wants to know at once that the broker is not there; a leg that has worked for an
    hour waits about a minute for it (`patient`) before its end is lost.
    """
    url = url or broker_url()
    address = url.replace("redis+socket://", "unix://", 1)
    try:
        return redis.Redis.from_url(
            address,
            decode_responses=True,
            socket_connect_timeout=settings().client_timeout_s,
            socket_timeout=settings().client_timeout_s,
            retry=Retry(ExponentialBackoff(cap=10, base=0.5), 9) if patient else Retry(NoBackoff(), 1),
            health_check_interval=30,
        )
    except ValueError as error:
        raise BrokerError(f"DUET_BROKER_URL={url!r} cannot be used: {error}.") from None


def unreachable(error: Exception) -> BrokerError:
    """Return the sentence for a broker that does not answer."""
    return BrokerError(
        f"The broker at {_without_password(broker_url())} does not answer ({error}); "
        "start it, or set DUET_BROKER_URL to one that runs."
    )


@contextmanager
def readable_errors() -> Iterator[None]:
    """Turn what redis-py raises for a broker that is not there into a `BrokerError`."""
    try:
        yield
    except (redis.ConnectionError, redis.TimeoutError) as error:
        raise unreachable(error) from None


def _without_password(url: str) -> str:
    scheme, _, rest = url.partition("://")
    return f"{scheme}://{rest.rpartition('@')[2]}"
