"""Which hosts Duet connects to when a URL comes from outside: public ones, and those that a setting allows.

The look happens again at the moment of connecting, so a redirect, or a name that changes its address after it
was looked at, leads nowhere else.
"""

import socket
from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_address, ip_network
from urllib.parse import urlsplit

import urllib3
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool
from urllib3.exceptions import ConnectTimeoutError, NewConnectionError
from urllib3.util.connection import create_connection

from pipeline.errors import AddressError, TransientError
from pipeline.settings import settings

SCHEMES = {"http": 80, "https": 443}
NAT64 = IPv6Network("64:ff9b::/96")
"""Addresses that stand for an IPv4 address, in their last 32 bits (RFC 6052)."""


def check_url(url: str) -> None:
    """See that a URL is one of http or https and that its host may be reached.

    Raises:
        AddressError: it is something else, its host is not to be found, or one of its addresses is private.
        TransientError: the name server does not answer.
    """
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError as error:
        raise AddressError(f"{url!r} is no address ({error}).") from None
    if parts.scheme not in SCHEMES or not parts.hostname:
        raise AddressError(f"{url!r} is no address of the web; give one that begins with https://.")
    permitted_addresses(parts.hostname, port or SCHEMES[parts.scheme])


def permitted_addresses(host: str, port: int) -> list[str]:
    """Return the addresses of a host, every one of which may be connected to.

    Raises:
        AddressError: the host is not to be found, or one of its addresses is private.
        TransientError: the name server does not answer.
    """
    addresses = list(dict.fromkeys(_resolved(host, port)))
    for address in addresses:
        if not _is_permitted(host, ip_address(address.partition("%")[0])):
            raise AddressError(
                f"{host} is at {address}, which is not a public address; "
                "if it is to be reached all the same, name it in DUET_ALLOWED_HOSTS."
            )
    return addresses


class PublicPoolManager(urllib3.PoolManager):
    """urllib3's pool manager that connects to permitted addresses only, after each redirect too.

    A request raises what `permitted_addresses` raises, besides urllib3's own errors.
    """

    def __init__(self, **options: object) -> None:
        super().__init__(**options)  # type: ignore[arg-type]  # handed on as they are
        self.pool_classes_by_scheme = {"http": _HTTPPool, "https": _HTTPSPool}


class _HTTP(HTTPConnection):
    def _new_conn(self) -> socket.socket:
        return _connected(self)


class _HTTPS(HTTPSConnection):
    def _new_conn(self) -> socket.socket:
        return _connected(self)


class _HTTPPool(HTTPConnectionPool):
    ConnectionCls = _HTTP


class _HTTPSPool(HTTPSConnectionPool):
    ConnectionCls = _HTTPS


def _connected(connection: HTTPConnection) -> socket.socket:
    """Connect as urllib3 does, but to the very addresses that were looked at."""
    reason: OSError | None = None
    for address in permitted_addresses(connection.host, connection.port):
        try:
            return create_connection(
                (address, connection.port),
                connection.timeout,
                source_address=connection.source_address,
                socket_options=connection.socket_options,
            )
        except TimeoutError:
            raise ConnectTimeoutError(connection, f"{connection.host} does not answer in time.") from None
        except OSError as error:
            reason = error
    raise NewConnectionError(connection, f"{connection.host} cannot be reached: {reason}") from reason


def _resolved(host: str, port: int) -> list[str]:
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except socket.gaierror as error:
        if error.errno == socket.EAI_AGAIN:
            raise TransientError(f"The name server does not say now where {host} is ({error.strerror}).") from None
        raise AddressError(f"There is no host {host} ({error.strerror}); check the spelling.") from None
    except (OSError, UnicodeError) as error:
        raise AddressError(f"{host!r} is no name of a host ({error}).") from None
    return [str(address[0]) for *_, address in found]


def _is_permitted(host: str, address: IPv4Address | IPv6Address) -> bool:
    inner = _embedded(address)
    if all(it.is_global and not it.is_multicast for it in (address, *inner)):
        return True
    return any(_is_named(entry, host, address) for entry in settings().allowed_hosts)


def _embedded(address: IPv4Address | IPv6Address) -> list[IPv4Address]:
    """Return the IPv4 addresses that an IPv6 address leads to by one of the ways between the two."""
    if isinstance(address, IPv4Address):
        return []
    ways = [address.ipv4_mapped, address.sixtofour, *(address.teredo or ())]
    if address in NAT64:
        ways.append(IPv4Address(int(address) & 0xFFFFFFFF))
    return [it for it in ways if it is not None]


def _is_named(entry: str, host: str, address: IPv4Address | IPv6Address) -> bool:
    try:
        return address in ip_network(entry, strict=False)
    except ValueError:
        return entry.lower().rstrip(".") == host.lower().rstrip(".")
