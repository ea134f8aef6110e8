"""The signed HTTP request of a webhook delivery, with a deadline, and its outcome."""

import time
from dataclasses import dataclass

import urllib3
from urllib3.exceptions import HTTPError

from pipeline.errors import TransientError
from pipeline.sources.deadline import Deadline
from pipeline.sources.url_guard import PublicPoolManager
from pipeline.state.webhook_queue import Delivery
from workers.webhooks.signature import headers, secret

TIMEOUT_S = 15.0
"""Seconds from the connection attempt to the last response header."""
GONE = 410


@dataclass(frozen=True)
class WebhookResponse:
    """The outcome of a delivery attempt."""

    trouble: str = ""
    """Description of the error; empty on success."""
    is_silent: bool = False
    """Whether the address did not respond."""
    is_final: bool = False
    """Whether the status (410) forbids further attempts."""


def post(delivery: Delivery) -> WebhookResponse:
    """Send a signed message to its address. A redirect counts as a failure, because its target is not trusted.

    Raises:
        AddressError: Duet may not connect to the address.
        SettingsError: the signing secret is missing or malformed.
    """
    own = headers(secret(), delivery.id, int(time.time()), delivery.body)
    try:
        with (
            Deadline(TIMEOUT_S),
            PublicPoolManager(retries=False, timeout=urllib3.Timeout(TIMEOUT_S)) as pool,
        ):
            answer = pool.request(
                "POST",
                delivery.url,
                body=delivery.body.encode(),
                headers=own | {"content-type": "application/json", "user-agent": "Duet"},
                redirect=False,
                preload_content=False,
            )
            answer.close()
    except (HTTPError, TransientError) as error:
        return WebhookResponse(f"no answer ({type(error).__name__})", is_silent=True)
    if 200 <= answer.status < 300:
        return WebhookResponse()
    return WebhookResponse(f"{answer.status} is its answer", is_final=answer.status == GONE)
