"""One signed request to one address, bounded in time, and what came of it."""

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
"""Until the address must have answered, from connecting to the last header."""
GONE = 410


@dataclass(frozen=True)
class WebhookResponse:
    """What an address has answered."""

    trouble: str = ""
    """What was wrong with it; empty where the address has understood."""
    is_silent: bool = False
    """Whether there was none."""
    is_final: bool = False
    """Whether it says that it need not be told again."""


def post(delivery: Delivery) -> WebhookResponse:
    """Send a signed message to its address; a redirect is no answer, for it could lead anywhere.

    Raises:
        AddressError: the address is not one that Duet may connect to.
        SettingsError: there is no secret to sign with.
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
