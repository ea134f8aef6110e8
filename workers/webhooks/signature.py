"""Webhook signatures, which authenticate the sender and the timestamp.

https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md
"""

import base64
import binascii
import hashlib
import hmac

from pipeline.errors import SettingsError
from pipeline.settings import settings

PREFIX = "whsec_"
LEAST_BYTES, MOST_BYTES = 24, 64


def secret() -> bytes:
    """Return the signing key.

    Raises:
        SettingsError: it is missing, or not in the standard format.
    """
    text = settings().webhook_secret
    how = "set DUET_WEBHOOK_SECRET on every worker to whsec_ and 32 random bytes in base64 (`openssl rand -base64 32`)"
    if text is None:
        raise SettingsError(f"Webhooks are signed and there is no secret: {how}.")
    try:
        key = base64.b64decode(text.get_secret_value().removeprefix(PREFIX), validate=True)
    except binascii.Error:
        raise SettingsError(f"DUET_WEBHOOK_SECRET is not base64; {how}.") from None
    if not LEAST_BYTES <= len(key) <= MOST_BYTES:
        raise SettingsError(f"DUET_WEBHOOK_SECRET holds {len(key)} bytes, not {LEAST_BYTES} to {MOST_BYTES}; {how}.")
    return key


def headers(key: bytes, message_id: str, timestamp_s: int, body: str) -> dict[str, str]:
    """Return the headers with the message id, the timestamp and the signature."""
    signed = f"{message_id}.{timestamp_s}.{body}".encode()
    signature = base64.b64encode(hmac.new(key, signed, hashlib.sha256).digest()).decode()
    return {
        "webhook-id": message_id,
        "webhook-timestamp": str(timestamp_s),
        "webhook-signature": f"v1,{signature}",
    }
