"""Addresses and connections of the broker and of the state Redis (or Valkey).

They are one server, unless the broker is SQS, which carries messages only.
"""

from collections.abc import Iterator
from contextlib import contextmanager

import redis
from redis.backoff import ExponentialBackoff, NoBackoff
from redis.retry import Retry

from pipeline.errors import BrokerError
from pipeline.settings import settings
from pipeline.state.refusals import complaint, refusal, refusing
from pipeline.types.redis_url import SQS, canonical, for_redis_py, without_secrets

EMBEDDED_URL_FILE = "broker.url"
"""File in the state folder with the address of the embedded Valkey while it runs."""


def broker_url() -> str:
    """Return the broker's URL in its canonical form (pipeline/types/redis_url.py).

    Raises:
        BrokerError: none is configured and no embedded one runs, or Duet cannot use it.
    """
    if configured := settings().broker_url:
        return canonical(configured, "DUET_BROKER_URL")
    embedded = settings().state_dir / EMBEDDED_URL_FILE
    if embedded.is_file():
        return embedded.read_text().strip()
    raise BrokerError("There is no broker: set DUET_BROKER_URL=redis://host:6379/0, or start one with `duet up`.")


def keeps_state(url: str) -> bool:
    """Return whether a broker also stores states and results, as Redis and Valkey do."""
    return url.partition("://")[0] != SQS


def state_url() -> str:
    """Return the address of the Redis with states, results, locks and the worker registry, in the canonical form.

    Raises:
        BrokerError: the broker stores no state and no other server is configured, or two servers are.
    """
    broker, configured = broker_url(), settings().state_url
    configured = canonical(configured, "DUET_STATE_URL") if configured else None
    if keeps_state(broker):
        if configured not in (None, broker):
            raise BrokerError("DUET_STATE_URL is for a broker that keeps no state, such as sqs://; unset it here.")
        return broker
    if configured is None or not keeps_state(configured):
        raise BrokerError("SQS carries messages and keeps no state; set DUET_STATE_URL=redis://host:6379/0 as well.")
    return configured


def connect(url: str | None = None, *, patient: bool = False) -> "redis.Redis":
    """Return a client of the state Redis; it connects when it is used.

    Clients fail at once in a broker outage. A leg that has worked for an hour retries for about a minute (`patient`)
    before its outcome is lost.
    """
    url = url or state_url()
    try:
        pool = redis.ConnectionPool.from_url(
            for_redis_py(url),
            decode_responses=True,
            socket_connect_timeout=settings().client_timeout_s,
            socket_timeout=settings().client_timeout_s,
            retry=Retry(ExponentialBackoff(cap=10, base=0.5), 9) if patient else Retry(NoBackoff(), 1),
            health_check_interval=30,
        )
        pool.connection_class(**pool.connection_kwargs)  # which does not connect yet, and refuses unknown fields
    except (TypeError, ValueError) as error:
        why = str(error).rpartition("() ")[2].rstrip(".")
        raise BrokerError(f"{_setting()}, {without_secrets(url)}, cannot be used: {why}.") from None
    pool.connection_class = refusing(pool.connection_class)
    return redis.Redis.from_pool(pool)


def unreachable(error: BaseException) -> BrokerError:
    """Return the error for a broker that does not respond or rejects commands."""
    where = without_secrets(state_url())
    cause: BaseException | None = error
    while cause:
        # kombu's pooled connections raise the server's error unchanged.
        refused = refusal(cause) if isinstance(cause, redis.ResponseError) else cause
        if refused and (why := complaint(refused)):
            return BrokerError(f"The broker at {where} refuses: {why}.")
        cause = cause.__cause__ or cause.__context__
    step = f"start it, or set {_setting()} to one that runs"
    if where.startswith("rediss:") and "CERTIFICATE_VERIFY_FAILED" in str(error):
        step = f"name its authority's certificate in {_setting()}, ?ssl_ca_certs=FILE"
    elif where.startswith("rediss:") and "No such file" in str(error):
        step = f"check the files that {_setting()} names"
    return BrokerError(f"The broker at {where} does not answer ({error}); {step}.")


@contextmanager
def readable_errors() -> Iterator[None]:
    """Convert redis-py's connection errors to `BrokerError`."""
    try:
        yield
    except (redis.ConnectionError, redis.TimeoutError) as error:
        raise unreachable(error) from None


def _setting() -> str:
    return "DUET_STATE_URL" if settings().state_url else "DUET_BROKER_URL"
