"""Addresses of Redis or Valkey: one canonical form for the notations of kombu, Celery and redis-py."""

import re
import ssl
from typing import Any
from urllib.parse import parse_qsl, quote, unquote, urlencode, urlsplit

from pipeline.errors import BrokerError

EXAMPLE = "redis://host:6379/0, or rediss:// for TLS"
TCP = {"redis": "redis", "valkey": "redis", "rediss": "rediss", "valkeys": "rediss"}
SOCKET = ("redis+socket", "unix")
SQS = "sqs"
_PLACE = re.compile(r"(\[[0-9A-Fa-f:.]+\]|[\w.-]*)(:\d{1,5})?(/\d*)?(\?[\w.]+=.*)?")
_CERTIFICATES = {"required": ssl.CERT_REQUIRED, "optional": ssl.CERT_OPTIONAL, "none": ssl.CERT_NONE}
_NO = ("false", "no", "0", "off")


def canonical(url: str, setting: str) -> str:
    """Return an address in a form for kombu and redis-py; its password may have any characters, unquoted.

    Args:
        url: the user's input.
        setting: name of its setting, for the message.

    Raises:
        BrokerError: the address is invalid or not supported; the message has no password.
    """
    scheme, separator, rest = url.strip().partition("://")
    scheme = scheme.lower()
    if not separator:
        raise _unusable(url, setting, f"it is no address; write {EXAMPLE}")
    if scheme == SQS:
        return url.strip()
    if "sentinel" in scheme or "cluster" in scheme:
        raise _unusable(
            url,
            setting,
            "Duet works with neither Sentinel nor Cluster but needs one Redis or Valkey that has every key; "
            f"write the primary's own address, {EXAMPLE}",
        )
    split = _split(rest, scheme)
    if "://" in rest or (split is None and re.search(r"[;,]", rest.rpartition("@")[2])):
        raise _unusable(url, setting, f"it names several servers, and Duet can use one; write {EXAMPLE}")
    if split is None:
        raise _unusable(url, setting, f"it is not user:password@host:port/number; write {EXAMPLE}")
    userinfo, place = split
    if scheme in SOCKET:
        return f"redis+socket://{userinfo}{place.replace('?db=', '?virtual_host=')}"
    if scheme not in TCP:
        raise _unusable(url, setting, f"Duet does not know {scheme}://; write {EXAMPLE}")
    address, _, query = place.partition("?")
    fields = dict(parse_qsl(query, keep_blank_values=True))
    if TCP[scheme] == "rediss":
        fields.pop("ssl", None)  # which is said by the scheme
        fields["ssl_cert_reqs"] = _certificates(fields.get("ssl_cert_reqs", "required"), url, setting)
    elif any(name == "ssl" or name.startswith("ssl_") for name in fields):
        raise _unusable(url, setting, f"it says how TLS is to be used and has none; write {scheme}s://")
    asked = f"?{urlencode(fields, safe='/')}" if fields else ""
    return f"{TCP[scheme]}://{userinfo}{address}{asked}"


def for_redis_py(url: str) -> str:
    """Return a canonical address in redis-py's notation, which differs for sockets only."""
    if not url.startswith("redis+socket://"):
        return url
    return url.replace("redis+socket://", "unix://", 1).replace("?virtual_host=", "?db=")


def for_celery(url: str) -> tuple[str, dict[str, Any] | None]:
    """Return a canonical address without its TLS options, and these options for Celery, kombu and Flower, or None."""
    if not url.startswith("rediss://"):
        return url, None
    address, _, query = url.partition("?")
    fields = dict(parse_qsl(query))
    tls: dict[str, Any] = {name: fields.pop(name) for name in list(fields) if name.startswith("ssl_")}
    tls["ssl_cert_reqs"] = _CERTIFICATES[tls["ssl_cert_reqs"]]
    if "ssl_check_hostname" in tls:
        tls["ssl_check_hostname"] = tls["ssl_check_hostname"].lower() not in _NO
    return f"{address}?{urlencode(fields, safe='/')}" if fields else address, tls


def without_secrets(url: str) -> str:
    """Return a canonical address without user, password and query."""
    scheme, _, rest = url.partition("://")
    return f"{scheme}://{rest.partition('?')[0].rpartition('@')[2]}"


def passwords(url: str) -> set[str]:
    """Return the notations of an address's password: as written, unquoted and quoted; empty without a password."""
    try:
        password = urlsplit(canonical(url, "")).password
    except (BrokerError, ValueError):
        password = url.partition("://")[2].rpartition("@")[0].partition(":")[2]
    return {password, unquote(password), _quoted(password)} if password else set()


def _split(rest: str, scheme: str) -> tuple[str, str] | None:
    """Return the quoted user and password, and the host part; None if they cannot be separated.

    A password may contain an @ or other reserved characters; it ends at the first @ that a valid host part follows.
    """
    fits = (lambda it: it.startswith("/")) if scheme in SOCKET else _PLACE.fullmatch
    if fits(rest):
        return "", rest
    for at in re.finditer("@", rest):
        if fits(rest[at.end() :]):
            user, _, password = rest[: at.start()].partition(":")
            return f"{_quoted(user)}:{_quoted(password)}@", rest[at.end() :]
    return None


def _quoted(text: str) -> str:
    return quote(unquote(text), safe="")


def _certificates(text: str, url: str, setting: str) -> str:
    name = text.lower().removeprefix("ssl.").removeprefix("cert_")
    if name not in _CERTIFICATES:
        raise _unusable(url, setting, f"ssl_cert_reqs is {text!r}; write required, optional or none")
    return name


def _unusable(url: str, setting: str, why: str) -> BrokerError:
    """Return the error for an unusable address, which it shows without user, password and query."""
    scheme, separator, rest = url.strip().partition("://") if "://" in url else ("", "", url.strip())
    _, at, place = rest.rpartition("@")
    shown = f"{scheme}{separator}{'***@' if at else ''}{place.partition('?')[0]}"
    return BrokerError(f"{setting}='{shown}' cannot be used: {why}.")
