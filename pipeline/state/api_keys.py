"""API keys: several, revocable, each with its limits; the broker keeps their digests and never a key."""

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
"""There while somebody wants it so that this machine needs no key although there were some (`duet keys open`)."""
PREFIX = "duet"
SECRET_BYTES = 32
"""So much chance that nothing slower than SHA-256 is needed against guessing."""


class ApiKey(Model):
    """One API key; the key itself is not stored."""

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


class ApiKeyStore:
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
        with readable_errors(), self._redis.pipeline() as pipe:
            pipe.hset(KEYS, kept.id, kept.model_dump_json())
            pipe.delete(OPEN)
            pipe.execute()
        return kept, key

    def all(self) -> list[ApiKey]:
        """Return every key there ever was, oldest first."""
        with readable_errors():
            return _read(self._redis.hvals(KEYS))

    def valid(self) -> list[ApiKey]:
        """Return the keys that open something, oldest first."""
        with readable_errors():
            return valid_ones(self._redis.hvals(KEYS))

    def revoke(self, name: str) -> ApiKey:
        """End the key with this id, or the only one with this name that is not revoked.

        Raises:
            SettingsError: there is none, or there are several.
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
        """Allow requests of the server's own machine without a key, as before the first key.

        Raises:
            SettingsError: there is a key that is valid, so somebody wants one to be needed.
        """

        def note(pipe: Any) -> None:
            if valid := valid_ones(pipe.hvals(KEYS)):
                raise SettingsError(
                    f"{_listed(valid)} may be used; end it with `duet keys revoke {valid[0].id}` first."
                )
            pipe.multi()
            pipe.set(OPEN, f"{time.time():.0f}")

        with readable_errors():
            self._redis.transaction(note, KEYS)  # a key that is added meanwhile wins


class ApiKeysSeen:
    """Whether a server of this machine ever saw a key; a broker that lost its memory must not open what was closed."""

    def __init__(self) -> None:
        self._mark = settings().state_dir / "keys-seen"
        self.any = self._mark.exists()

    def note(self, *, count: int, is_opened: bool) -> None:
        """Note how many keys the broker has, revoked ones too, and whether this machine is to need none."""
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
                "%s cannot be written (%s): after a restart it is not known here that keys are needed.",
                self._mark,
                error.strerror,
            )


def _read(texts: Iterable[str]) -> list[ApiKey]:
    return sorted(map(ApiKey.from_json, texts), key=lambda it: it.created_at)


def valid_ones(texts: Iterable[str]) -> list[ApiKey]:
    """Return those of some kept keys that open something, oldest first."""
    return [it for it in _read(texts) if it.revoked_at is None]


def _listed(keys: list[ApiKey]) -> str:
    named = f"The key {keys[0].id} ({keys[0].name})"
    return named if len(keys) == 1 else f"{named} and {len(keys) - 1} more"


def _digest(key: str) -> str:
    return hashlib.sha256(key.encode()).hexdigest()
