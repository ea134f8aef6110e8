"""API keys: several, revocable, each with its limits; the broker keeps their digests and never a key."""

import hashlib
import hmac
import secrets
import time
from typing import Any

from pydantic import Field

from pipeline.broker import connect, readable_errors
from pipeline.errors import SettingsError
from pipeline.types import Model

KEYS = "duet:keys"
PREFIX = "duet"
SECRET_BYTES = 32
"""So much chance that nothing slower than SHA-256 is needed against guessing."""


class ApiKey(Model):
    """What is known of a key."""

    id: str
    """The middle part of the key, by which it is named."""
    name: str
    """Whose it is, or what for."""
    digest: str
    """SHA-256 of the whole key, in hex."""
    created_at: float
    revoked_at: float | None = None
    requests_per_minute: int | None = Field(default=None, ge=1)
    """None: what DUET_SERVE_REQUESTS_PER_MINUTE says."""
    at_once: int | None = Field(default=None, ge=1)
    """None: what DUET_SERVE_AT_ONCE says."""

    def fits(self, key: str) -> bool:
        """Whether it is this key and has not been revoked; takes as long for every wrong one."""
        return hmac.compare_digest(self.digest, _digest(key)) and self.revoked_at is None


def id_of(key: str) -> str:
    """Return the part of a key by which it is named; empty where this is no key of ours."""
    prefix, _, rest = key.partition("_")
    return rest.partition("_")[0] if prefix == PREFIX else ""


class Keys:
    """The keys of a broker."""

    def __init__(self, client: Any = None) -> None:
        self._redis: Any = client or connect()

    def add(self, name: str, requests_per_minute: int | None = None, at_once: int | None = None) -> tuple[ApiKey, str]:
        """Make a key and return what is kept of it, and the key itself, which cannot be shown again."""
        name_of_key = secrets.token_hex(4)
        key = f"{PREFIX}_{name_of_key}_{secrets.token_urlsafe(SECRET_BYTES)}"
        kept = ApiKey(
            id=name_of_key,
            name=name,
            digest=_digest(key),
            created_at=time.time(),
            requests_per_minute=requests_per_minute,
            at_once=at_once,
        )
        self._write(kept)
        return kept, key

    def all(self) -> list[ApiKey]:
        """Return every key there ever was, oldest first."""
        with readable_errors():
            found = [ApiKey.from_json(text) for text in self._redis.hvals(KEYS)]
        return sorted(found, key=lambda it: it.created_at)

    def revoke(self, name: str) -> ApiKey:
        """End the key with this id, or the only one with this name that is not revoked.

        Raises:
            SettingsError: there is none, or there are several.
        """
        found = [it for it in self.all() if name in (it.id, it.name) and it.revoked_at is None]
        if len(found) != 1:
            which = "There is no such key" if not found else "Several keys have that name"
            raise SettingsError(f"{which}: {name!r}; `duet keys ls` shows their ids.")
        revoked = found[0].model_copy(update={"revoked_at": time.time()})
        self._write(revoked)
        return revoked

    def _write(self, key: ApiKey) -> None:
        with readable_errors():
            self._redis.hset(KEYS, key.id, key.model_dump_json())


def _digest(key: str) -> str:
    return hashlib.sha256(key.encode()).hexdigest()
