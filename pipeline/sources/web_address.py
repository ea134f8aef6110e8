"""Addresses on the web as people, feeds and servers write them, and the user and password in them."""

import re
from base64 import b64encode
from urllib.parse import SplitResult, unquote_to_bytes, urljoin, urlsplit, urlunsplit

from pipeline.errors import AddressError
from pipeline.types.text import well_formed

MOST_CHARACTERS = 4000
"""Maximum length of a URL."""
PORTS = {"http": 80, "https": 443}
_FOR_APPS = re.compile(r"\s*(?:feed|podcasts?|itpc|pcast|rss):(?://|(?=https?://))", re.IGNORECASE)
"""Schemes with which pages hand a feed to an app; `feed:` comes before a scheme, or in its place."""


def for_apps(place: str) -> list[str]:
    """Return the addresses to try for one such as `feed://host/show.xml`, https first; empty for any other place.

    With a user and password, plain http is tried only at a port of its own, so that nobody who blocks https is told
    the password.
    """
    if not (found := _FOR_APPS.match(place)):
        return []
    rest = place[found.end() :].strip()
    if re.match(r"https?://", rest, re.IGNORECASE):
        return [rest]
    has_user, has_port = "@" in rest.partition("/")[0], re.match(r"[^/]*:\d+(/|$)", rest)
    return [f"https://{rest}", *([f"http://{rest}"] if has_port or not has_user else [])]


def host_and_port(url: str) -> tuple[str, int]:
    """Return the host and the port of a URL of http or https.

    Raises:
        AddressError: the URL is invalid.
    """
    if len(url) > MOST_CHARACTERS:
        raise AddressError(f"{url[:80]}... has {len(url):,} characters, and {MOST_CHARACTERS:,} is the most.")
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError as error:
        # The error may quote a piece of a password.
        why = "in a password, write / as %2F, ? as %3F and # as %23" if "@" in url else str(error)
        raise AddressError(f"{url!r} is no address ({why}).") from None
    if parts.scheme not in PORTS or not parts.hostname:
        raise AddressError(f"{url!r} is no address of the web; give one that begins with https://.")
    return parts.hostname, port or PORTS[parts.scheme]


def absolute(base: str, href: str) -> str:
    """Return an address that a feed gives, resolved against its base; empty if it is none of the web."""
    try:
        address = urljoin(base, href.strip().replace("&amp;", "&"))
        if ways := for_apps(address):
            address = ways[-1] if base.startswith("http:") else ways[0]
        parts = urlsplit(address)
        is_one = parts.scheme in PORTS and bool(parts.hostname) and parts.port != 0
    except ValueError:
        return ""
    return well_formed(address) if is_one else ""


def without_login(url: str) -> str:
    """Return an address as it is requested: without user, password and fragment, its host in ASCII (RFC 3490).

    Raises:
        ValueError: the URL is invalid.
    """
    parts = urlsplit(url)
    host = parts.netloc.rpartition("@")[2]
    if not host.isascii():
        name = (parts.hostname or "").encode("idna").decode()
        host = f"{name}:{parts.port}" if parts.port else name
    return urlunsplit((parts.scheme, host, parts.path, parts.query, ""))


def with_login_of(known: str, url: str) -> str:
    """Return a URL with the user and password of a known one at the same scheme, host and port; else unchanged."""
    own, other = urlsplit(url), urlsplit(known)
    login, at, _ = other.netloc.rpartition("@")
    if not at or "@" in own.netloc or _origin(own) != _origin(other):
        return url
    return urlunsplit(own._replace(netloc=f"{login}@{own.netloc}"))


def authorization(url: str) -> dict[str, str]:
    """Return the header that logs in with the user and password of a URL (RFC 7617, in UTF-8); empty without them."""
    login, at, _ = urlsplit(url).netloc.rpartition("@")
    if not at:
        return {}
    user, _, password = login.partition(":")
    both = unquote_to_bytes(user) + b":" + unquote_to_bytes(password)
    return {"Authorization": f"Basic {b64encode(both).decode()}"}


def _origin(parts: SplitResult) -> tuple[str, str | None, int | None]:
    return parts.scheme, parts.hostname, parts.port or PORTS.get(parts.scheme)
