"""API keys: several, revocable, each with its limits; Redis has their digests and never a key."""

import hashlib
import hmac
import logging
import secrets
import time
from collections.abc import Iterable
from typing import Any

from pydantic import Field

from pipeline.errors import SettingsError
from pipeline.settings import settings
from pipeline.state.redis import connect, readable_errors
from pipeline.types import Model

logger = logging.getLogger(__name__)
KEYS = "duet:keys"
OPEN = "duet:keys:open"
"""Set by `duet keys open`: requests from the server's own machine need no key although there have been keys."""
PREFIX = "duet"
SECRET_BYTES = 32
"""Number of random bytes in a key: enough that plain SHA-256 is safe against guessing."""


class ApiKey(Model):
    """One API key; the key itself is not stored."""

    id: str
    """The public, middle part of the key."""
    name: str
    """Owner or purpose."""
    digest: str
    """SHA-256 of the whole key, in hex."""
    created_at: float
    revoked_at: float | None = None
    requests_per_minute: int | None = Field(default=None, ge=1)
    """Requests a minute; None means DUET_SERVE_REQUESTS_PER_MINUTE."""
    at_once: int | None = Field(default=None, ge=1)
    """Concurrent uploads; None means DUET_SERVE_AT_ONCE."""

    def fits(self, key: str) -> bool:
        """Return whether a key is this one and is not revoked, in constant time."""
        return hmac.compare_digest(self.digest, _digest(key)) and self.revoked_at is None


def id_of(key: str) -> str:
    """Return the id in a key; empty if the text is not a key of Duet."""
    prefix, _, rest = key.partition("_")
    return rest.partition("_")[0] if prefix == PREFIX else ""


class ApiKeyStore:
    """Reads and writes API keys in Redis."""

    def __init__(self, client: Any = None) -> None:
        self._redis: Any = client or connect()

    def add(self, name: str, requests_per_minute: int | None = None, at_once: int | None = None) -> tuple[ApiKey, str]:
        """Create a key. Return its stored record and the key itself, which cannot be recovered later."""
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
        with readable_errors(), self._redis.pipeline() as pipe:
            pipe.hset(KEYS, kept.id, kept.model_dump_json())
            pipe.delete(OPEN)
            pipe.execute()
        return kept, key

    def all(self) -> list[ApiKey]:
        """Return all keys, revoked ones included, oldest first."""
        with readable_errors():
            return _read(self._redis.hvals(KEYS))

    def valid(self) -> list[ApiKey]:
        """Return the keys that are not revoked, oldest first."""
        with readable_errors():
            return valid_ones(self._redis.hvals(KEYS))

    def revoke(self, name: str) -> ApiKey:
        """Revoke the key with this id, or the only valid one with this name, and return its record.

        Raises:
            SettingsError: there is no such key, or there are several.
        """
        found = [it for it in self.valid() if name in (it.id, it.name)]
        if len(found) != 1:
            which = "There is no such key" if not found else "Several keys have that name"
            raise SettingsError(f"{which}: {name!r}; `duet keys ls` shows their ids.")
        revoked = found[0].model_copy(update={"revoked_at": time.time()})
        with readable_errors():
            self._redis.hset(KEYS, revoked.id, revoked.model_dump_json())
        return revoked

    def open(self) -> None:
        """Allow requests from the server's own machine without a key, as before the first key.

        Raises:
            SettingsError: there is a valid key, which implies that a key is required.
        """

        def note(pipe: Any) -> None:
            if valid := valid_ones(pipe.hvals(KEYS)):
                raise SettingsError(
                    f"{_listed(valid)} may be used; end it with `duet keys revoke {valid[0].id}` first."
                )
            pipe.multi()
            pipe.set(OPEN, f"{time.time():.0f}")

        with readable_errors():
            self._redis.transaction(note, KEYS)  # retried when a key is added meanwhile, which then raises


class ApiKeysSeen:
    """This machine's record that keys have existed, so that a broker that lost its data does not end their need."""

    def __init__(self) -> None:
        self._mark = settings().state_dir / "keys-seen"
        self.any = self._mark.exists()

    def note(self, *, count: int, is_opened: bool) -> None:
        """Record the number of keys, revoked ones included, and whether `duet keys open` has ended their need."""
        if not (count or is_opened) or self.any is not is_opened:
            return
        self.any = not is_opened
        try:
            if is_opened:
                self._mark.unlink(missing_ok=True)
            else:
                self._mark.parent.mkdir(parents=True, exist_ok=True)
                self._mark.touch()
        except OSError as error:
            logger.warning(
                "%s cannot be written (%s): after a restart this server does not know that keys are required.",
                self._mark,
                error.strerror,
            )


def _read(texts: Iterable[str]) -> list[ApiKey]:
    return sorted(map(ApiKey.from_json, texts), key=lambda it: it.created_at)


def valid_ones(texts: Iterable[str]) -> list[ApiKey]:
    """Return the keys that are not revoked among stored records, oldest first."""
    return [it for it in _read(texts) if it.revoked_at is None]


def _listed(keys: list[ApiKey]) -> str:
    named = f"The key {keys[0].id} ({keys[0].name})"
    return named if len(keys) == 1 else f"{named} and {len(keys) - 1} more"


def _digest(key: str) -> str:
    return hashlib.sha256(key.encode()).hexdigest()
